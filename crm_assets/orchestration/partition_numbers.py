"""Numbers of partitions: a run reads a range of them as one, and each event has the numbers of its own partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.decode.duckdb_types import literal, quoted
from crm_assets.warehouse.deletes import in_ranges
from crm_assets.warehouse.session import WarehouseSession

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult

WHOLE_RUN = "whole_run"
"""Metadata of a partition's materialization: the numbers of the run, which read several partitions as one."""
_TABLE_NUMBERS = frozenset({"dagster/row_count"})
"""Numbers that are the table's, whatever was read."""


@dataclass(frozen=True)
class DayRows:
    """The rows of one day in a windowed table."""

    day: date
    rows: int
    loaded: int
    """Rows that the last read brought."""
    new: int
    changed: int


def own_numbers(days: Iterable[DayRows], dates: DateRange, *, several: bool) -> dict[str, int]:
    """Return the numbers of one partition.

    Args:
        days: The rows of the table by day.
        dates: The partition's days.
        several: Whether the run read other partitions, too, so that its numbers are not this one's.
    """
    own = [day_rows for day_rows in days if dates.start <= day_rows.day < dates.end]
    numbers = {"dagster/partition_row_count": sum(day_rows.rows for day_rows in own)}
    if not several:
        return numbers
    loaded, new, changed = (sum(getattr(day_rows, name) for day_rows in own) for name in ("loaded", "new", "changed"))
    unchanged = loaded - new - changed
    return numbers | {"rows_loaded": loaded, "rows_new": new, "rows_changed": changed, "rows_unchanged": unchanged}


def rows_by_day(session: WarehouseSession, connection: Connection, reading: ReadResult) -> list[DayRows]:
    """Return the rows of each day that was read of a windowed resource, in the connection's time zone."""
    resource, report = reading.task.resource, reading.report
    if resource.window is None:
        return []
    column, zone = quoted(resource.window.field), literal(connection.timezone)
    dated = resource.columns[resource.window.field].type is ColumnType.DATE
    day = column if dated else f"CAST({column} AT TIME ZONE {zone} AS DATE)"
    new, changed = "_first_seen_at = _changed_at", "(_first_seen_at IS NULL OR _first_seen_at < _changed_at)"
    rows = session.query(
        f"SELECT {day}, count(*), count(CASE WHEN _read_id = %s THEN 1 END), "
        f"count(CASE WHEN _read_id = %s AND _changed_at = %s AND {new} THEN 1 END), "
        f"count(CASE WHEN _read_id = %s AND _changed_at = %s AND {changed} THEN 1 END) "
        f"FROM {session.table(resource.name)} WHERE {column} IS NOT NULL "
        f"AND {in_ranges(session, reading.task, connection)} GROUP BY 1",
        *(report.read_id, report.read_id, report.finished_at, report.read_id, report.finished_at),
    )
    return [DayRows(*row) for row in rows]


def without_run_numbers(metadata: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the metadata of each of several partitions, and the run's numbers in it, which are no partition's own."""
    numbers = {
        name: value
        for name, value in metadata.items()
        if isinstance(value, (int, float)) and name not in _TABLE_NUMBERS
    }
    rest = {name: value for name, value in metadata.items() if name not in numbers}
    return {**rest, WHOLE_RUN: numbers}, numbers


def run_numbers(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, float]:
    """Return the numbers of a materialization; where a run read several partitions, the run's."""
    numbers = {
        name: value.value
        for name, value in metadata.items()
        if isinstance(value, (dg.IntMetadataValue, dg.FloatMetadataValue)) and value.value is not None
    }
    whole = metadata.get(WHOLE_RUN)
    return numbers | (dict(whole.value) if isinstance(whole, dg.JsonMetadataValue) else {})  # type: ignore[arg-type]
