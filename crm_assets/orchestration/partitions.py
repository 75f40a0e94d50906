"""Windows as Dagster partitions: one partition is one window of the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import dagster as dg

from crm_assets.date_range import DateRange, merge_ranges
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.incremental import Window


def partitions_of(connection: Connection, window: Window) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions of a window: from ``start_date`` to today (and days_ahead) in the connection's zone."""
    kinds: dict[str, Callable[..., dg.TimeWindowPartitionsDefinition]] = {
        "daily": dg.DailyPartitionsDefinition,
        "weekly": dg.WeeklyPartitionsDefinition,
        "monthly": dg.MonthlyPartitionsDefinition,
    }
    start = datetime.combine(connection.start_date, datetime.min.time())
    return kinds[window.grain](start_date=start, timezone=connection.timezone, end_offset=1 + window.days_ahead)


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
