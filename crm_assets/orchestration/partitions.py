"""Windows as Dagster partitions: one partition is one window of the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import dagster as dg
from typing_extensions import assert_never

from crm_assets.date_range import DateRange, merge_ranges
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.incremental import Window


def partitions_of(connection: Connection, window: Window) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions of a window: from the one with ``start_date`` to today (and days_ahead), in its zone."""
    kinds: dict[str, Callable[..., dg.TimeWindowPartitionsDefinition]] = {
        "daily": dg.DailyPartitionsDefinition,
        "weekly": dg.WeeklyPartitionsDefinition,
        "monthly": dg.MonthlyPartitionsDefinition,
    }
    start = datetime.combine(_first_day(connection.start_date, window), datetime.min.time())
    return kinds[window.grain](start_date=start, timezone=connection.timezone, end_offset=1 + window.days_ahead)


def _first_day(start: date, window: Window) -> date:
    """Return the first day of the partition that a day is in; Dagster's would be those that begin on it or later."""
    match window.grain:
        case "daily":
            return start
        case "weekly":  # Dagster's weeks begin on Sundays
            return start - timedelta(days=start.isoweekday() % 7)
        case "monthly":
            return start.replace(day=1)
        case _:
            assert_never(window.grain)


def ranges_of(
    partitions: dg.TimeWindowPartitionsDefinition, keys: list[str], window: Window, connection: Connection
) -> tuple[DateRange, ...]:
    """Return the ranges to ask for: adjoining partitions as one, unless their rows are aggregates over their dates."""
    windows = [partitions.time_window_for_partition_key(key) for key in keys]
    ranges = [
        DateRange(one.start.astimezone(connection.zone).date(), one.end.astimezone(connection.zone).date())
        for one in windows
    ]
    return tuple(ranges) if window.per_partition else merge_ranges(ranges)
