"""SQL expressions of a column's value: from DuckDB's own reading of JSON, or from the text of the value."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.extract.decode.destination_limits import DestinationLimits
from crm_assets.extract.decode.digits import NUL
from crm_assets.extract.decode.duckdb_types import DUCKDB, EPOCH_RANGE, literal

_INTEGER = r"-?\d{1,19}(\.0+)?"
_NUMBER = r"-?\d+(\.\d+)?([eE][+-]?\d+)?"
_OFFSET = r"Z|UTC|[+-]\d{2}(:?\d{2})?"
_TIMESTAMP = rf"\d{{4}}-\d{{2}}-\d{{2}}([T ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,9}})?)?\s?({_OFFSET})?)?"
_DATE = r"\d{4}-\d{2}-\d{2}"
_SCALAR = "'BIGINT', 'UBIGINT', 'DOUBLE', 'HUGEINT', 'UHUGEINT', 'VARCHAR'"
_FIRST, _LAST = "TIMESTAMPTZ '0001-01-01 00:00:00+00'", "TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"
"""Moments that Python and every destination know."""


def value_of_text(text: str, kind: str, column: Column, limits: DestinationLimits) -> str:
    """Return the value of a JSON value's text, or NULL where it does not fit the column.

    Args:
        text: Expression of the value's text, digits as they came.
        kind: Expression of the value's ``json_type``.
        column: The declared column.
        limits: What the destination cannot hold.
    """
    cast = f"TRY_CAST({text} AS {DUCKDB[column.type]})"
    scalar, is_text = f"{kind} IN ({_SCALAR})", f"{kind} = 'VARCHAR'"
    whole = "" if limits.nul else f" AND NOT contains({text}, {literal(NUL)})"
    match column.type:
        case ColumnType.TEXT:
            return f"CASE WHEN {scalar}{whole} THEN {text} END"
        case ColumnType.JSON:
            return f"CASE WHEN {kind} <> 'NULL'{whole} THEN {text} END"
        case ColumnType.BIGINT:
            return f"CASE WHEN {scalar} AND regexp_full_match({text}, '{_INTEGER}') THEN {cast} END"
        case ColumnType.DECIMAL:
            return f"CASE WHEN {scalar} AND regexp_full_match({text}, '{_NUMBER}') THEN {cast} END"
        case ColumnType.DOUBLE:
            return f"CASE WHEN {scalar} AND regexp_full_match({text}, '{_NUMBER}') AND isfinite({cast}) THEN {cast} END"
        case ColumnType.BOOL:
            return f"CASE WHEN {kind} = 'BOOLEAN' OR {is_text} AND {text} IN ('true', 'false') THEN {cast} END"
        case ColumnType.TIMESTAMP | ColumnType.DATE:
            iso = f"WHEN {is_text} AND {_looks_like(text, column)} THEN {_time_of_text(text, column, 'TRY_CAST')}"
            if column.format == "iso":
                return f"CASE {iso} END"
            number = f"{scalar} AND regexp_full_match({text}, '{_INTEGER}')"
            return f"CASE WHEN {number} THEN {time_of_number(f'TRY_CAST({text} AS BIGINT)', column)} {iso} END"


def value_of_field(field: str, column: Column) -> str:
    """Return the value of a field of DuckDB's struct; it fails where a text is not the time it looked like."""
    if column.type not in (ColumnType.TIMESTAMP, ColumnType.DATE):
        return field
    return time_of_number(field, column) if column.format != "iso" else _time_of_text(field, column, "CAST")


def time_of_number(number: str, column: Column) -> str:
    """Return the moment of a number of seconds or milliseconds since 1970, or the day it falls on."""
    milliseconds = number if column.format == "epoch_ms" else f"{number} * 1000"
    least, greatest = EPOCH_RANGE[column.format]
    moment = f"epoch_ms(CASE WHEN {number} BETWEEN {least} AND {greatest} THEN {milliseconds} END)"
    if column.type is ColumnType.TIMESTAMP:
        return f"timezone('UTC', {moment})"
    zone = column.timezone or "UTC"
    return f"{moment}::DATE" if zone == "UTC" else f"timezone({literal(zone)}, timezone('UTC', {moment}))::DATE"


def _looks_like(text: str, column: Column) -> str:
    pattern = _DATE if column.type is ColumnType.DATE else _TIMESTAMP
    return f"regexp_full_match({text}, '{pattern}') AND {text} NOT LIKE '0000%'"


def _time_of_text(text: str, column: Column, cast: str) -> str:
    """Return the moment or day of an ISO 8601 text; the session's zone is UTC."""
    if column.type is ColumnType.DATE:
        return f"{cast}({text} AS DATE)"
    # DuckDB reads no blank before an offset: '10:00:00 -0700' is what Ruby writes
    moment = f"{cast}(regexp_replace({text}, '\\s([+-])', '\\1') AS TIMESTAMPTZ)" if cast == "TRY_CAST" else ""
    moment = moment or f"{text}::TIMESTAMPTZ"
    if column.timezone not in (None, "UTC"):
        offset = f"regexp_matches({text}, '^.{{11}}.*(Z|UTC|[+-])')"
        moment = f"CASE WHEN {offset} THEN {moment} ELSE {_local(f'{cast}({text} AS TIMESTAMP)', column.timezone)} END"
    return f"CASE WHEN {moment} BETWEEN {_FIRST} AND {_LAST} THEN {moment} END" if cast == "TRY_CAST" else moment


def _local(wall: str, zone: str | None) -> str:
    """Return the moment at which clocks of a zone show a time; the first of two where they are set back.

    Where they are set forward, a time that they skip counts by the offset before (02:30 becomes 03:30).
    """
    moment = f"timezone({literal(zone or 'UTC')}, {wall})"
    before = f"({moment} - INTERVAL {_set_back_by(zone or 'UTC')} MINUTE)"
    return f"CASE WHEN timezone({literal(zone or 'UTC')}, {before}) = {wall} THEN {before} ELSE {moment} END"


def _set_back_by(zone: str) -> int:
    """Return by how many minutes clocks are set back: an hour nearly everywhere, half of one on Lord Howe Island."""
    offsets = [datetime(2024, month, 1, tzinfo=ZoneInfo(zone)).utcoffset() for month in (1, 7)]
    minutes = [offset.total_seconds() / 60 for offset in offsets if offset is not None]
    return int(max(minutes) - min(minutes)) or 60
