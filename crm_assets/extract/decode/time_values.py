"""SQL expressions of moments and days, by the format in which a server writes them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from crm_assets.declarations.models.columns import MICROSECONDS, Column, ColumnType
from crm_assets.extract.decode.duckdb_types import literal

TIMES = (ColumnType.TIMESTAMP, ColumnType.DATE)
_DOTNET = r"/Date\((-?\d{1,17})([+-]\d{4})?\)/"


def time_of_text(text: str, kind: str, column: Column) -> str:
    """Return the moment or day of a JSON value, or NULL where it is not one in the column's format.

    ISO 8601 is understood beside numbers, too; beside a pattern it is not, since the two may read one text differently.
    """
    iso = f"WHEN {kind} = 'VARCHAR' AND {_looks_iso(text, column)} THEN {_iso(text, column, 'TRY_CAST')}"
    if column.format == "iso":
        return f"CASE {iso} END"
    if column.format in MICROSECONDS:
        parts = MICROSECONDS[column.format] > 1
        number = _moment_of_units(f"TRY_CAST({text} AS {'DECIMAL(38, 9)' if parts else 'HUGEINT'})", column)
        fits = f"{'is_decimal' if parts else 'is_integer'}({text})"
        return f"CASE WHEN is_scalar({kind}) AND {fits} THEN {number} {iso} END"
    if column.format == "dotnet":
        number = _moment_of_units(f"TRY_CAST(regexp_extract({text}, '{_DOTNET}', 1) AS HUGEINT)", column)
        return f"CASE WHEN {kind} = 'VARCHAR' AND regexp_full_match({text}, '{_DOTNET}') THEN {number} {iso} END"
    return f"CASE WHEN is_scalar({kind}) THEN {_of_pattern(text, column, 'try_strptime')} END"


def time_of_field(field: str, column: Column) -> str:
    """Return the same for a field that the strict check let pass; it fails where a text is not what it looked like."""
    if column.format == "iso":
        return _iso(field, column, "CAST")
    if column.format in MICROSECONDS:
        return _moment_of_units(f"{field}::HUGEINT", column)
    if column.format == "dotnet":
        return _moment_of_units(f"CAST(regexp_extract({field}, '^{_DOTNET}$', 1) AS HUGEINT)", column)
    return _of_pattern(field, column, "strptime")


def _looks_iso(text: str, column: Column) -> str:
    return f"{'is_date' if column.type is ColumnType.DATE else 'is_time'}({text})"


def _iso(text: str, column: Column, cast: str) -> str:
    """Return the moment or day of ISO 8601 text; the session's zone is UTC."""
    if column.type is ColumnType.DATE:
        return f"{cast}({text} AS DATE)"
    moment = f"{cast}({f'joined_offset({text})' if cast == 'TRY_CAST' else text} AS TIMESTAMPTZ)"
    if _zone(column) != "UTC":
        local = _local(f"{cast}({text} AS TIMESTAMP)", column)
        moment = f"CASE WHEN has_offset({text}) THEN {moment} ELSE {local} END"
    return moment


def _moment_of_units(number: str, column: Column) -> str:
    """Return the moment of a number of units since 1970, or the day it falls on."""
    unit = MICROSECONDS.get(column.format, MICROSECONDS["epoch_ms"])
    micros = f"{number} * {unit}" if unit >= 1 else f"{number} // 1000"
    return _day_of(f"moment_of_number({micros})", column)


def _of_pattern(text: str, column: Column, function: str) -> str:
    pattern = literal(column.format)
    if "%z" in column.format:  # strptime knows no Z
        return _day_of(f"{function}(regexp_replace({text}, 'Z$', '+00'), {pattern})", column)
    wall = f"{function}({text}, {pattern})"
    if column.format.endswith("Z"):
        return _day_of(f"timezone('UTC', {wall})", column)
    return f"{wall}::DATE" if column.type is ColumnType.DATE else _local(wall, column)


def _day_of(moment: str, column: Column) -> str:
    return moment if column.type is ColumnType.TIMESTAMP else f"timezone({literal(_zone(column))}, {moment})::DATE"


def _local(wall: str, column: Column) -> str:
    zone = _zone(column)
    if zone == "UTC":
        return f"timezone('UTC', {wall})"
    return f"local_moment({wall}, {literal(zone)}, {_set_back_by(zone)})"


def _zone(column: Column) -> str:
    return column.timezone or "UTC"


def _set_back_by(zone: str) -> int:
    """Return by how many minutes clocks are set back: an hour nearly everywhere, half of one on Lord Howe Island."""
    offsets = [datetime(2024, month, 1, tzinfo=ZoneInfo(zone)).utcoffset() for month in (1, 7)]
    minutes = [offset.total_seconds() / 60 for offset in offsets if offset is not None]
    return int(max(minutes) - min(minutes)) or 60
