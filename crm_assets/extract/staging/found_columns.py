"""Columns of fields that no column declares: named and typed when a read is whole, from all values it brought.

What earlier reads found keeps its name and, where all new values fit it, its type. Where they do not, it becomes one
that takes the stored values as well: whole numbers become doubles if no digit is lost by it, all else becomes text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.extract.decode.column_values import value_of_text
from crm_assets.extract.decode.destination_limits import DestinationLimits
from crm_assets.extract.decode.duckdb_paths import json_path
from crm_assets.extract.decode.duckdb_types import literal, quoted
from crm_assets.extract.discovery.columns import can_be_named, free_column_name
from crm_assets.extract.read_report import FoundBefore
from crm_assets.extract.staging.parquet_writer import ROW_GROUP_SIZE

MOST = 500
"""Columns that a table may get this way; PostgreSQL has room for 1,600, and a server may use IDs as names."""
_AT_A_TIME = 50
"""Fields that one query looks at: its plan grows with them."""
_NESTED, _BOOL, _TEXT, _MOMENT, _DAY, _WHOLE, _LARGE, _FRACTION, _BEYOND = (1 << bit for bit in range(9))
# What a value is, as a bit. Doubles hold every whole number up to 2^53; of an ISO time only the offset makes a moment;
# a number that DuckDB reads as a double although it is whole has more digits than any type of ours.
_KIND = Template(f"""CASE
    WHEN $kind IS NULL OR $kind = 'NULL' THEN 0
    WHEN $kind IN ('OBJECT', 'ARRAY') THEN {_NESTED}
    WHEN $kind = 'BOOLEAN' THEN {_BOOL}
    WHEN $kind = 'VARCHAR' THEN CASE
        WHEN $text[5] <> '-' OR length($text) NOT BETWEEN 10 AND 40 THEN {_TEXT}
        WHEN is_date($text) AND TRY_CAST($text AS DATE) IS NOT NULL THEN {_DAY}
        WHEN is_time($text) AND has_offset($text) AND TRY_CAST($text AS TIMESTAMPTZ) IS NOT NULL THEN {_MOMENT}
        ELSE {_TEXT} END
    WHEN $kind = 'DOUBLE' THEN CASE
        WHEN regexp_matches($text, '[.eE]') AND isfinite(TRY_CAST($text AS DOUBLE)) THEN {_FRACTION} ELSE {_BEYOND} END
    WHEN abs(TRY_CAST($text AS DOUBLE)) <= 9007199254740992 THEN {_WHOLE}
    WHEN TRY_CAST($text AS BIGINT) IS NOT NULL THEN {_LARGE}
    ELSE {_BEYOND} END""")
# The fields in the order in which records name them.
_FIELD_NAMES_SQL = Template("""
SELECT name FROM (
    SELECT unnest(json_keys(_extra)) AS name, generate_subscripts(json_keys(_extra), 1) AS place FROM $source
) GROUP BY name ORDER BY min(place), name
""")


@dataclass(frozen=True)
class FoundColumns:
    """The columns of one read beside the declared ones, those of earlier reads included."""

    columns: dict[str, Column]
    changes: list[str]
    """What differs from earlier reads, as clauses; nothing the first time."""
    absent: list[str]
    """Those of earlier reads whose field none of the records has."""
    whole: bool
    """Whether no field is without a column."""


def found_columns(
    database: duckdb.DuckDBPyConnection, source: str, declared: Mapping[str, Column], before: FoundBefore
) -> FoundColumns:
    """Return the columns for the fields in ``_extra``.

    Args:
        database: The connection of the decoding thread.
        source: What to select the rows from.
        declared: The declared columns.
        before: What earlier reads found.
    """
    columns, changes = dict(before.columns), list[str]()
    names = {column.wire_path(name): name for name, column in columns.items()}
    fields = [name for (name,) in database.execute(_FIELD_NAMES_SQL.substitute(source=source)).fetchall()]
    absent = [names[path] for path in sorted(names.keys() - {(name,) for name in fields})]
    wanted = [name for name in fields if (name,) in names]
    wanted += [name for name in fields if (name,) not in names and can_be_named((name,))][: MOST - len(columns)]
    for key, bits in _kinds(database, source, wanted):
        kind, name = _widest_type(bits), names.get((key,))
        if name is not None:
            wider = _wider(columns[name].type, kind, lossless=not bits & _LARGE and name not in before.inexact)
            if wider is not columns[name].type:
                changes.append(f"{name} was {columns[name].type.value} and is {wider.value}")
                columns[name] = columns[name].model_copy(update={"type": wider})
        else:
            name = free_column_name((key,), {*declared, *columns})
            columns[name] = Column(type=kind, source=None if key == name else path_text((key,)))
            changes.append(f"{name} ({kind.value}) is new")
    return FoundColumns(columns, changes if before.columns else [], absent, whole=len(wanted) == len(fields))


def _kinds(database: duckdb.DuckDBPyConnection, source: str, fields: list[str]) -> Iterator[tuple[str, int]]:
    """Yield what the values of each field are, as bits; fields without a value are skipped."""
    for first in range(0, len(fields), _AT_A_TIME):
        some = fields[first : first + _AT_A_TIME]
        kinds = (_KIND.substitute(kind=f"__kind[{n}]", text=f"__text[{n}]") for n in range(1, len(some) + 1))
        chosen = ", ".join(f"bit_or({kind})" for kind in kinds)
        (found,) = database.execute(f"SELECT {chosen} FROM ({_extracted(source, some)})").fetchall()
        yield from ((name, bits) for name, bits in zip(some, found, strict=True) if bits)


def _extracted(source: str, fields: Iterable[str]) -> str:
    """Return the query of the rows with their fields' JSON, text and type; each row's JSON is parsed three times."""
    paths = f"[{', '.join(literal(json_path((name,))) for name in fields)}]::VARCHAR[]"
    return (
        f"SELECT *, json_extract(_extra, {paths}) AS __json, json_extract_string(_extra, {paths}) AS __text, "
        f"json_type(_extra, {paths}) AS __kind FROM {source}"
    )


def _widest_type(bits: int) -> ColumnType:
    """Return the type that holds all values of a field, digits included."""
    if bits & _NESTED:
        return ColumnType.JSON
    if not bits & ~(_WHOLE | _LARGE):
        return ColumnType.BIGINT
    if not bits & ~(_WHOLE | _FRACTION):
        return ColumnType.DOUBLE
    alone = {_BOOL: ColumnType.BOOL, _MOMENT: ColumnType.TIMESTAMP, _DAY: ColumnType.DATE}
    return alone.get(bits, ColumnType.TEXT)


def _wider(before: ColumnType, now: ColumnType, *, lossless: bool) -> ColumnType:
    """Return the type of a column that has values of two; JSON and text hold values of all."""
    if now is before or before in (ColumnType.JSON, ColumnType.TEXT):
        return before
    if {before, now} == {ColumnType.BIGINT, ColumnType.DOUBLE} and lossless:
        return ColumnType.DOUBLE
    return ColumnType.TEXT


def fill_columns(
    database: duckdb.DuckDBPyConnection,
    source: str,
    path: Path,
    schema: pa.Schema,
    filled: FoundColumns,
    limits: DestinationLimits,
) -> None:
    """Write rows anew, with the values of fields moved from ``_extra`` into their columns.

    Args:
        database: The connection of the decoding thread.
        source: What to select the rows from.
        path: The file to write.
        schema: Of the rows as they will be.
        filled: The columns that take values from ``_extra``.
        limits: What the destination cannot hold.
    """
    fields = {name: column.wire_path(name)[0] for name, column in filled.columns.items()}
    values = {name: _found_value(column, n, limits) for n, (name, column) in enumerate(filled.columns.items(), 1)}
    values["_extra"] = "NULL" if filled.whole else _rest(fields.values())
    chosen = ", ".join(f"{values.get(name, quoted(name))} AS {quoted(name)}" for name in schema.names)
    rows = database.sql(f"SELECT {chosen} FROM ({_extracted(source, fields.values())})")
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for batch in rows.to_arrow_reader(ROW_GROUP_SIZE // 4):
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def _found_value(column: Column, number: int, limits: DestinationLimits) -> str:
    value, text, kind = (f"{name}[{number}]" for name in ("__json", "__text", "__kind"))
    if column.type is ColumnType.JSON:
        return f"CASE WHEN {kind} <> 'NULL' THEN {value}::VARCHAR END"
    return text if column.type is ColumnType.TEXT else value_of_text(text, kind, column, limits)


def _rest(fields: Iterable[str]) -> str:
    """Return the fields that have no column; nothing is lost of one that is null."""
    taken = ", ".join(map(literal, fields)) or "NULL"
    every = """map_entries(from_json(_extra, '"MAP(VARCHAR, JSON)"'))"""
    kept = f"list_filter({every}, lambda f: f.key NOT IN ({taken}) AND json_type(f.value) <> 'NULL')"
    return f"CASE WHEN len({kept}) > 0 THEN to_json(map_from_entries({kept}))::VARCHAR END"
