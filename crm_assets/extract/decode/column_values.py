"""SQL expressions of a column's value: from DuckDB's own reading of JSON, or from the text of the value."""

from __future__ import annotations

from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.extract.decode.destination_limits import DestinationLimits
from crm_assets.extract.decode.digits import NUL
from crm_assets.extract.decode.duckdb_types import DUCKDB, literal
from crm_assets.extract.decode.time_values import TIMES, time_of_field, time_of_text


def value_of_text(text: str, kind: str, column: Column, limits: DestinationLimits) -> str:
    """Return the value of a JSON value's text, or NULL where it does not fit the column.

    Args:
        text: Expression of the value's text, digits as they came.
        kind: Expression of the value's ``json_type``.
        column: The declared column.
        limits: What the destination cannot hold.
    """
    cast = f"TRY_CAST({text} AS {DUCKDB[column.type]})"
    is_text, scalar = f"{kind} = 'VARCHAR'", f"is_scalar({kind})"
    whole = "" if limits.nul else f" AND NOT contains({text}, {literal(NUL)})"
    match column.type:
        case ColumnType.TEXT:
            return f"CASE WHEN {scalar}{whole} THEN {text} END"
        case ColumnType.JSON:
            return f"CASE WHEN {kind} <> 'NULL'{whole} THEN {text} END"
        case ColumnType.BIGINT:
            return f"CASE WHEN {scalar} AND is_integer({text}) THEN {cast} END"
        case ColumnType.DECIMAL:
            return f"CASE WHEN {scalar} AND is_number({text}) THEN {cast} END"
        case ColumnType.DOUBLE:
            return f"CASE WHEN {scalar} AND is_number({text}) AND isfinite({cast}) THEN {cast} END"
        case ColumnType.BOOL:
            return f"CASE WHEN {kind} = 'BOOLEAN' OR {is_text} AND {text} IN ('true', 'false') THEN {cast} END"
        case ColumnType.TIMESTAMP | ColumnType.DATE:
            return time_of_text(text, kind, column)


def value_of_field(field: str, column: Column) -> str:
    """Return the value of a field of DuckDB's struct; it fails where a text is not the time it looked like."""
    return time_of_field(field, column) if column.type in TIMES else field
