"""The DuckDB query for pages of which anything does not fit: every value by itself, and nothing lost."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

from crm_assets.declarations.json_path import Segments, path_text
from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.column_values import value_of_text
from crm_assets.extract.decode.destination_limits import DestinationLimits
from crm_assets.extract.decode.digits import NUL
from crm_assets.extract.decode.duckdb_paths import json_path, json_paths
from crm_assets.extract.decode.duckdb_types import literal, quoted
from crm_assets.extract.decode.request_values import request_column, request_value
from crm_assets.extract.decode.time_values import TIMES
from crm_assets.extract.decode.undeclared_sql import with_rest
from crm_assets.extract.decode.wire_tree import wire_tree

_CAREFUL_QUERY = Template("""
WITH records AS (
    SELECT * EXCLUDE (__page), unnest(from_json(__page, '["JSON"]')) AS __record FROM $pages
),
joined AS ($joined),
found AS (
    SELECT
        *,
        json_extract(__record, $paths) AS __json,
        list_transform(json_extract_string(__record, $paths), lambda t: unmarked(t)) AS __text,
        json_type(__record, $paths) AS __kind
    FROM joined
),
typed AS (
    SELECT $values FROM found
),
dated AS ($dated),
compared AS (
    SELECT *, $misfits::BOOLEAN[] AS __wrong, $reason AS __reason FROM dated
),
undeclared AS ($rest)
SELECT
    $columns$extra AS _extra,
    $kept AS _misfits,
    __reason,
    $key AS __key,
    CASE WHEN __reason IS NOT NULL THEN $record END AS __rejected
FROM undeclared
""")
_JOINED = Template("""
    SELECT * REPLACE (
        CASE WHEN $companion IS NULL THEN __record ELSE json_merge_patch(__record, $inlaid) END AS __record
    ) FROM records
""")
_NO_IDENTITY = """'{"id": null, "type": null}'::JSON"""
"""Takes a companion's id and type away: the record's own link to it holds both."""


@dataclass(frozen=True)
class _Found:
    """The expressions of a wire value: its JSON, its text and its type, each NULL where the record has no such path.

    The text of JSON's null is NULL, too.
    """

    json: str
    text: str
    kind: str


def careful_query(resource: Resource, pages: str, limits: DestinationLimits) -> str:
    """Return the query; besides the columns it gives ``__reason``, ``__key`` and ``__rejected`` of records to reject.

    For columns ``id`` (the key) and ``name``, the values of the common table ``typed`` read::

        CASE WHEN is_scalar(__kind[1]) AND is_integer(__text[1]) THEN TRY_CAST(__text[1] AS BIGINT) END AS "id",
        CASE WHEN is_scalar(__kind[2]) THEN __text[2] END AS "name"

    ``dated`` leaves out moments that destinations do not know, and ``compared`` says of each column whether a value
    is there, but not in the column. Such values are put into ``_misfits``::

        [__text[1] IS NOT NULL AND "id" IS NULL, __text[2] IS NOT NULL AND "name" IS NULL]

    DuckDB plans a query for as long as it takes to decode hundreds of records, and spends half of that again with each
    batch, so each part of an expression counts.
    """
    paths: list[str] = []
    wired = {name: column for name, column in resource.columns.items() if not column.placeholder}
    found = {name: _add_places(column.wire_path(name), paths) for name, column in wired.items()}
    values = {name: _column_value(found[name], column, limits) for name, column in wired.items()}
    for name, column in resource.columns.items():
        values[name] = values.get(name) or request_value(resource, column, "TRY_CAST") or "NULL"
    misfits = _misfits(resource, found, paths)
    return _CAREFUL_QUERY.substitute(
        pages=pages,
        joined=_joined_includes(resource),
        paths=f"[{', '.join(map(literal, paths))}]::VARCHAR[]",
        values=",\n        ".join(["*", *(f"{values[name]} AS {quoted(name)}" for name in resource.columns)]),
        dated=_within_calendar(resource),
        misfits=f"[{', '.join(wrong for _, _, wrong in misfits)}]",
        rest=with_rest(wire_tree(resource), "compared"),
        columns="".join(f"{quoted(name)}, " for name in resource.columns),
        extra=_unmarked(
            "CASE WHEN json_type(__record) = 'OBJECT' THEN nullif(__rest::VARCHAR, '{}') END", limits, checked=True
        ),
        kept=_unmarked(_misfits_json(misfits), limits, checked=True),
        reason=_reject_reason(resource),
        key=_key_text(resource),
        record=_unmarked("coalesce(__record::VARCHAR, 'null')", limits),
    )


def _within_calendar(resource: Resource) -> str:
    """Return the query that leaves out moments and days beyond the years 1 to 9999, where offsets may lead."""
    times = {name: column.type for name, column in resource.columns.items() if column.type in TIMES}
    checked = (
        f"{'day' if kind is ColumnType.DATE else 'moment'}_in_calendar({quoted(name)}) AS {quoted(name)}"
        for name, kind in times.items()
    )
    return f"SELECT * REPLACE ({', '.join(checked)}) FROM typed" if times else "SELECT * FROM typed"


def _add_places(path: Segments, paths: list[str]) -> _Found:
    """Add the places of a value to the paths that are asked for, and return the expressions of what is found there."""
    numbers = range(len(paths) + 1, len(paths) + 1 + len(json_paths(path)))
    paths += json_paths(path)

    def first(of: str) -> str:
        found = ", ".join(f"{of}[{number}]" for number in numbers)
        return f"coalesce({found})" if len(numbers) > 1 else found

    return _Found(first("__json"), first("__text"), first("__kind"))


def _column_value(found: _Found, column: Column, limits: DestinationLimits) -> str:
    text = f"unmarked_json({found.json}::VARCHAR)" if column.type is ColumnType.JSON else found.text
    return value_of_text(text, found.kind, column, limits)


def _misfits(resource: Resource, found: dict[str, _Found], paths: list[str]) -> list[tuple[str, str, str]]:
    """Return the name, the JSON and the condition of each value that may not fit."""
    misfits = []
    for name, column in resource.columns.items():
        if given := request_column(resource, column):
            misfits.append((name, f"to_json({given})", f"{given} IS NOT NULL AND {quoted(name)} IS NULL"))
        else:
            misfits.append((name, found[name].json, f"{found[name].text} IS NOT NULL AND {quoted(name)} IS NULL"))
    for path, node in wire_tree(resource).branches():
        branch = _add_places(path, paths)
        allowed = "'OBJECT', 'NULL'" + (", 'ARRAY'" if node.positions else "")
        misfits.append((path_text(path), branch.json, f"coalesce({branch.kind}, 'NULL') NOT IN ({allowed})"))
    return misfits


def _misfits_json(misfits: list[tuple[str, str, str]]) -> str:
    if not misfits:
        return "NULL::VARCHAR"
    names, values = ", ".join(literal(name) for name, _, _ in misfits), ", ".join(value for _, value, _ in misfits)
    present = f"map(list_where([{names}], __wrong), list_where([{values}], __wrong))"
    return f"CASE WHEN list_contains(__wrong, true) THEN to_json({present})::VARCHAR END"


def _unmarked(text: str, limits: DestinationLimits, *, checked: bool = False) -> str:
    """Return JSON text with its marks undone; a NUL that the destination lacks is spelled out where it is checked."""
    restored = f"unmarked_json({text})"
    if limits.nul:
        return restored
    # In a column of type json a NUL becomes the six characters of its escape; the text of a record keeps the escape.
    return f"replace({restored}, '{NUL}', '{chr(92) * (2 if checked else 1)}u0000')"


def _reject_reason(resource: Resource) -> str:
    key = resource.primary_key
    required = [name for name, column in resource.columns.items() if not column.nullable or name in key]
    missing = "".join(
        f"\n        WHEN {quoted(name)} IS NULL THEN "
        + literal(
            f"the primary key {name} is missing, null or of the wrong type"
            if name in key
            else f"{name} is required (nullable: false), but missing, null or of the wrong type"
        )
        for name in required
    )
    return (
        f"CASE WHEN coalesce(json_type(__record), 'NULL') <> 'OBJECT' THEN 'the record is not an object'{missing} END"
    )


def _key_text(resource: Resource) -> str:
    """Return the primary key as text, such as ``7`` or ``7, 2024-01-01``; parts that are missing are left out."""
    return (
        "concat_ws(', ', NULL::VARCHAR" + "".join(f", {quoted(name)}::VARCHAR" for name in resource.primary_key) + ")"
    )


def _joined_includes(resource: Resource) -> str:
    include = resource.endpoint.include
    if include is None:
        return "SELECT * FROM records"
    wanted = f"(c->>'id') = (__record->>{literal(json_path(include.on))})"  # an arrow binds looser than = in DuckDB 1
    wanted += f" AND (c->>'type') = {literal(include.type)}" if include.type else ""
    companion = f"list_filter(from_json(__companions, '[\"JSON\"]'), lambda c: {wanted})[1]"
    inlaid = f"json_object({literal(include.field)}, json_merge_patch({companion}, {_NO_IDENTITY}))"
    return _JOINED.substitute(companion=companion, inlaid=inlaid)
