"""Columns of fields that no column declares: named and typed when a read is whole, from all values it brought.

What earlier reads found keeps its name and, where all new values fit it, its type. Where they do not, it becomes one
that takes the stored values as well: whole numbers become doubles if no digit is lost by it, all else becomes text.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from crm_assets.extract.discovery.columns import can_be_named, column_name
from crm_assets.extract.read_report import FoundBefore
from crm_assets.extract.staging.parquet_writer import ROWS

MOST = 500
"""Columns that a table may get this way; PostgreSQL has room for 1,600, and a server may use IDs as names."""
_NUMBERS = {"BIGINT", "UBIGINT", "DOUBLE"}
# One row per field: the JSON types of its values, and which types of ours hold all of them. Above 2^53 doubles do not
# hold every whole number; an ISO time is a moment only with an offset.
_FIELDS = Template("""
WITH fields AS (
    SELECT e.id AS position, e.key AS name, e.type AS kind, e.value->>'$$' AS text
    FROM $source AS t, json_each(t._extra) AS e WHERE t._extra IS NOT NULL AND e.type <> 'NULL'
)
SELECT
    name,
    list(DISTINCT kind) AS kinds,
    bool_and(is_integer(text) AND TRY_CAST(text AS BIGINT) IS NOT NULL) AS whole,
    bool_and(TRY_CAST(text AS DOUBLE) IS NOT NULL AND isfinite(TRY_CAST(text AS DOUBLE))
        AND (contains(text, '.') OR abs(TRY_CAST(text AS DOUBLE)) <= 9007199254740992)) AS exact,
    bool_and(kind = 'VARCHAR' AND is_time(text) AND has_offset(text) AND TRY_CAST(text AS TIMESTAMPTZ) IS NOT NULL)
        AS moments,
    bool_and(kind = 'VARCHAR' AND is_date(text) AND TRY_CAST(text AS DATE) IS NOT NULL) AS days
FROM fields GROUP BY name ORDER BY min(position), name
""")


@dataclass(frozen=True)
class FoundColumns:
    """The columns of one read beside the declared ones, those of earlier reads included."""

    columns: dict[str, Column]
    changes: list[str]
    """What differs from earlier reads, as clauses; nothing the first time."""


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
    for key, *facts in database.execute(_FIELDS.substitute(source=source)).fetchall():
        kind, name = _kind(*facts), names.get((key,))
        if name is not None:
            wider = _wider(columns[name].type, kind, lossless=facts[2] and name not in before.inexact)
            if wider is not columns[name].type:
                changes.append(f"{name} was {columns[name].type.value} and is {wider.value}")
                columns[name] = columns[name].model_copy(update={"type": wider})
        elif len(columns) < MOST and can_be_named((key,)):
            name = column_name((key,), {*declared, *columns})
            columns[name] = Column(type=kind, source=None if key == name else path_text((key,)))
            changes.append(f"{name} ({kind.value}) is new")
    return FoundColumns(columns, changes if before.columns else [])


def _kind(kinds: list[str], whole: bool, exact: bool, moments: bool, days: bool) -> ColumnType:
    """Return the type that holds all values of a field, digits included."""
    found = set(kinds)
    if found & {"OBJECT", "ARRAY"}:
        return ColumnType.JSON
    if found == {"BOOLEAN"}:
        return ColumnType.BOOL
    if found <= _NUMBERS:
        return ColumnType.BIGINT if whole else ColumnType.DOUBLE if exact else ColumnType.TEXT
    return ColumnType.TIMESTAMP if moments else ColumnType.DATE if days else ColumnType.TEXT


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
    found: Mapping[str, Column],
    limits: DestinationLimits,
) -> None:
    """Write rows anew, with the values of fields moved from ``_extra`` into their columns.

    Args:
        database: The connection of the decoding thread.
        source: What to select the rows from.
        path: The file to write.
        schema: Of the rows as they will be.
        found: The columns that take values from ``_extra``.
        limits: What the destination cannot hold.
    """
    values = {name: _value(column, name, limits) for name, column in found.items()}
    values["_extra"] = _rest(found)
    chosen = ", ".join(f"{values.get(name, quoted(name))} AS {quoted(name)}" for name in schema.names)
    rows = database.sql(f"SELECT {chosen} FROM {source}")
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for batch in rows.to_arrow_reader(ROWS):
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))


def _value(column: Column, name: str, limits: DestinationLimits) -> str:
    place = literal(json_path(column.wire_path(name)))
    value, kind = f"json_extract(_extra, {place})", f"json_type(_extra, {place})"
    if column.type is ColumnType.JSON:
        return f"CASE WHEN {kind} <> 'NULL' THEN {value}::VARCHAR END"
    text = f"json_extract_string(_extra, {place})"
    return text if column.type is ColumnType.TEXT else value_of_text(text, kind, column, limits)


def _rest(found: Mapping[str, Column]) -> str:
    """Return the fields that have no column; nothing is lost of one that is null."""
    taken = ", ".join(literal(column.wire_path(name)[0]) for name, column in found.items()) or "NULL"
    fields = """map_entries(from_json(_extra, '"MAP(VARCHAR, JSON)"'))"""
    kept = f"list_filter({fields}, lambda f: f.key NOT IN ({taken}) AND json_type(f.value) <> 'NULL')"
    return f"CASE WHEN len({kept}) > 0 THEN to_json(map_from_entries({kept}))::VARCHAR END"
