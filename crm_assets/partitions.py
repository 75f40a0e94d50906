"""Windows as Dagster partitions: one partition is one window of the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import dagster as dg

from crm_assets.rest.request import Span
from crm_assets.spec.connections import Connection
from crm_assets.spec.modes import Window


def partitions_of(connection: Connection, window: Window) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions of a window: from ``start_date`` to today (and the horizon) in the connection's zone."""
    kinds: dict[str, Callable[..., dg.TimeWindowPartitionsDefinition]] = {
        "daily": dg.DailyPartitionsDefinition,
        "weekly": dg.WeeklyPartitionsDefinition,
        "monthly": dg.MonthlyPartitionsDefinition,
    }
    start = datetime.combine(connection.start_date, datetime.min.time())
    return kinds[window.grain](start_date=start, timezone=connection.timezone, end_offset=1 + window.horizon)


def spans_of(
    partitions: dg.TimeWindowPartitionsDefinition, keys: list[str], window: Window, connection: Connection
) -> tuple[Span, ...]:
    """Return the spans to ask for: adjoining partitions as one, unless their rows are aggregates over the span."""
    windows = [partitions.time_window_for_partition_key(key) for key in keys]
    spans = [
        Span(one.start.astimezone(connection.zone).date(), one.end.astimezone(connection.zone).date())
        for one in windows
    ]
    return tuple(spans) if window.aggregate else joined(spans)


def joined(spans: list[Span]) -> tuple[Span, ...]:
    """Return the spans in order, those that adjoin made one."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda one: one.start):
        if result and result[-1].end >= span.start:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return tuple(result)
