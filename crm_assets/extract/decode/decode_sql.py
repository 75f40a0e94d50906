"""The two DuckDB queries that turn a table of pages, JSON arrays of records, into typed rows."""

from __future__ import annotations

import json
from typing import Any

from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.declarations.models.system import Resource
from crm_assets.extract.decode.duckdb_types import DUCKDB, EPOCH_RANGE, literal, quoted
from crm_assets.extract.decode.record_validator import wire_tree

_INTEGER = r"-?\d{1,19}(\.0+)?"
_NUMBER = r"-?\d+(\.\d+)?([eE][+-]?\d+)?"
_TIMESTAMP = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s?(Z|[+-]\d{2}(:?\d{2})?)?)?"
_DATE = r"\d{4}-\d{2}-\d{2}"
_NO_IDENTITY = """'{"id": null, "type": null}'::JSON"""
"""Takes a companion's id and type away: the record's own link to it holds both."""


def given(resource: Resource) -> tuple[str, ...]:
    """Return the names of the request values the resource's columns hold, in the order of the ``given_<n>`` columns."""
    return tuple(sorted({column.placeholder for column in resource.columns.values() if column.placeholder}))


def fitting_query(resource: Resource, pages: str) -> str:
    """Return the query for pages that passed the strict check: one parse, straight into a struct.

    It fails with a ``ConversionException`` on a date or time DuckDB cannot read; the careful query then takes over.
    """
    columns = []
    for name, column in resource.columns.items():
        field = "r" + "".join(f"[{literal(segment)}]" for segment in column.wire_path(name))
        value = _given(resource, column) or _fitting_value(field, column)
        columns.append(f"{value} AS {quoted(name)}")
    shape = literal(json.dumps([_shape(wire_tree(resource))]))
    return (
        f"SELECT {', '.join(columns)}, NULL::VARCHAR AS _extra, NULL::VARCHAR AS _misfits "
        f"FROM (SELECT * EXCLUDE (page), unnest(from_json(page, {shape})) AS r FROM {pages})"
    )


def careful_query(resource: Resource, pages: str) -> str:
    """Return the query for all other pages; besides the columns it gives ``_reason`` and ``_record`` of rejects."""
    wired = {name: column for name, column in resource.columns.items() if not column.placeholder}
    paths = ", ".join(literal(_json_path(column.wire_path(name))) for name, column in wired.items())
    values = {
        name: _careful_value(f"v[{position}]", column) for position, (name, column) in enumerate(wired.items(), 1)
    }
    outputs = [
        f"{_given(resource, column) or values[name]} AS {quoted(name)}" for name, column in resource.columns.items()
    ]
    misfits = [
        f"{{'k': {literal(name)}, 'v': v[{position}], 'm': {_present(f'v[{position}]')} AND ({values[name]}) IS NULL}}"
        for position, name in enumerate(wired, 1)
    ]
    misfits += [
        f"{{'k': {literal(path_text(branch))}, 'v': r->{literal(_json_path(branch))}, "
        f"'m': json_type(r, {literal(_json_path(branch))}) NOT IN ('OBJECT', 'NULL')}}"
        for branch in _branches(wire_tree(resource))
    ]
    return (
        f"WITH records AS (SELECT * EXCLUDE (page), unnest(from_json(page, '[\"JSON\"]')) AS r FROM {pages}), "
        f"{_joined(resource)} "
        f"found AS (SELECT *, json_extract(r, [{paths}]) AS v FROM joined), "
        f"typed AS (SELECT *, list_filter([{', '.join(misfits)}], lambda m: m.m) AS wrong FROM found), "
        f"{_undeclared(resource)} "
        f"SELECT {', '.join(outputs)}, "
        f"CASE WHEN json_type(r) = 'OBJECT' THEN nullif(rest::VARCHAR, '{{}}') END AS _extra, "
        f"CASE WHEN len(wrong) > 0 THEN "
        f"to_json(map_from_entries(list_transform(wrong, lambda m: {{'k': m.k, 'v': m.v}})))::VARCHAR END AS _misfits, "
        f"{_reason(resource, values)} AS _reason, coalesce(r::VARCHAR, 'null') AS _record FROM undeclared"
    )


def _given(resource: Resource, column: Column) -> str | None:
    if column.placeholder is None:
        return None
    return f"TRY_CAST(given_{given(resource).index(column.placeholder)} AS {DUCKDB[column.type]})"


def _fitting_value(field: str, column: Column) -> str:
    if column.format != "iso":
        return _from_epoch(field, column)
    return f"{field}::{DUCKDB[column.type]}" if column.type in (ColumnType.TIMESTAMP, ColumnType.DATE) else field


def _from_epoch(number: str, column: Column) -> str:
    milliseconds = number if column.format == "epoch_ms" else f"{number} * 1000"
    least, greatest = EPOCH_RANGE[column.format]
    moment = f"timezone('UTC', epoch_ms(CASE WHEN {number} BETWEEN {least} AND {greatest} THEN {milliseconds} END))"
    return f"{moment}::DATE" if column.type is ColumnType.DATE else moment


def _shape(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: _shape(leaf) if isinstance(leaf, dict) else _shape_type(leaf[1]) for name, leaf in tree.items()}


def _shape_type(column: Column) -> str:
    if column.format != "iso":
        return "BIGINT"
    return "VARCHAR" if column.type in (ColumnType.TIMESTAMP, ColumnType.DATE) else DUCKDB[column.type]


def _json_path(path: tuple[str, ...]) -> str:
    escaped = (segment.replace("\\", "\\\\").replace('"', '\\"') for segment in path)
    return "$" + "".join(f'."{segment}"' for segment in escaped)


def _present(value: str) -> str:
    return f"coalesce(json_type({value}), 'NULL') <> 'NULL'"


def _careful_value(value: str, column: Column) -> str:
    text = f"({value}->>'$')"
    kind = f"json_type({value})"
    numeric = f"{kind} IN ('BIGINT', 'UBIGINT', 'DOUBLE', 'HUGEINT', 'UHUGEINT')"
    scalar = f"({numeric} OR {kind} = 'VARCHAR')"
    if column.format != "iso":
        epoch = _from_epoch(f"TRY_CAST({text} AS BIGINT)", column)
        return (
            f"CASE WHEN {scalar} AND regexp_full_match({text}, '{_INTEGER}') THEN {epoch} "
            f"WHEN {_matches(kind, text, column)} THEN TRY_CAST({text} AS {DUCKDB[column.type]}) END"
        )
    condition = {
        ColumnType.TEXT: scalar,
        ColumnType.BIGINT: f"{scalar} AND regexp_full_match({text}, '{_INTEGER}')",
        ColumnType.DOUBLE: f"{scalar} AND regexp_full_match({text}, '{_NUMBER}')",
        ColumnType.DECIMAL: f"{scalar} AND regexp_full_match({text}, '{_NUMBER}')",
        ColumnType.BOOL: f"{kind} = 'BOOLEAN' OR {kind} = 'VARCHAR' AND {text} IN ('true', 'false')",
        ColumnType.TIMESTAMP: _matches(kind, text, column),
        ColumnType.DATE: _matches(kind, text, column),
        ColumnType.JSON: _present(value),
    }[column.type]
    result = value if column.type is ColumnType.JSON else f"TRY_CAST({text} AS {DUCKDB[column.type]})"
    if column.type is ColumnType.DOUBLE:
        condition += f" AND isfinite({result})"
    return f"CASE WHEN {condition} THEN {result} END"


def _matches(kind: str, text: str, column: Column) -> str:
    pattern = _DATE if column.type is ColumnType.DATE else _TIMESTAMP
    return f"{kind} = 'VARCHAR' AND regexp_full_match({text}, '{pattern}') AND {text} NOT LIKE '0000%'"


def _branches(tree: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the paths of the objects that are declared in parts only, the deepest first."""
    found: list[tuple[str, ...]] = []
    for name, leaf in tree.items():
        if isinstance(leaf, dict) and "" not in leaf:
            found += [*_branches(leaf, (*above, name)), (*above, name)]
    return found


def _undeclared(resource: Resource) -> str:
    """Return the expressions that add ``rest``: the record less all declared fields.

    A JSON merge patch removes what it maps to null, and leaves the objects that thereby become empty.
    """
    tree = wire_tree(resource)
    steps = [f"SELECT *, json_merge_patch(r, {literal(json.dumps(_removal(tree)))}::JSON) AS rest FROM typed"]
    for branch in _branches(tree):
        removal: Any = None
        for segment in reversed(branch):
            removal = {segment: removal}
        without = f"json_merge_patch(rest, {literal(json.dumps(removal))}::JSON)"
        empty = f"json_extract(rest, {literal(_json_path(branch))}) = '{{}}'"
        steps.append(f"SELECT * REPLACE (CASE WHEN {empty} THEN {without} ELSE rest END AS rest) FROM ({steps[-1]})")
    return f"undeclared AS ({steps[-1]})"


def _removal(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: _removal(leaf) if isinstance(leaf, dict) and "" not in leaf else None for name, leaf in tree.items()}


def _reason(resource: Resource, values: dict[str, str]) -> str:
    missing = " ".join(
        f"WHEN ({values[name]}) IS NULL THEN {literal(f'the primary key {name} is missing, null or of the wrong type')}"
        for name in resource.primary_key
        if name in values
    )
    return f"CASE WHEN r IS NULL OR json_type(r) <> 'OBJECT' THEN 'the record is not an object' {missing} END"


def _joined(resource: Resource) -> str:
    include = resource.endpoint.include
    if include is None:
        return "joined AS (SELECT * FROM records),"
    wanted = f"(c->>'id') = (r->>{literal(_json_path(include.on))})"  # an arrow binds looser than = in DuckDB 1
    wanted += f" AND (c->>'type') = {literal(include.type)}" if include.type else ""
    companion = f"list_filter(from_json(companions, '[\"JSON\"]'), lambda c: {wanted})[1]"
    inlaid = f"json_object({literal(include.field)}, json_merge_patch({companion}, {_NO_IDENTITY}))"
    return (
        f"joined AS (SELECT * REPLACE (CASE WHEN {companion} IS NULL THEN r "
        f"ELSE json_merge_patch(r, {inlaid}) END AS r) FROM records),"
    )
