"""The declared types in DuckDB, and SQL quoting."""

from __future__ import annotations

from crm_assets.declarations.models.columns import ColumnType

DUCKDB: dict[ColumnType, str] = {
    ColumnType.TEXT: "VARCHAR",
    ColumnType.BIGINT: "BIGINT",
    ColumnType.DOUBLE: "DOUBLE",
    ColumnType.DECIMAL: "DECIMAL(38, 9)",
    ColumnType.BOOL: "BOOLEAN",
    ColumnType.TIMESTAMP: "TIMESTAMPTZ",
    ColumnType.DATE: "DATE",
    ColumnType.JSON: "JSON",
}

EPOCH_RANGE = {"epoch_s": (-62_135_596_800, 253_402_300_799), "epoch_ms": (-62_135_596_800_000, 253_402_300_799_999)}
"""Least and greatest number that is a moment of the years 1 to 9999; milliseconds read as seconds are none."""


def quoted(identifier: str) -> str:
    """Return a SQL identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a SQL text literal."""
    return "'" + text.replace("'", "''") + "'"
