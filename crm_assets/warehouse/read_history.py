"""History: what earlier reads of a resource took, from the read log."""

from __future__ import annotations

import json
from dataclasses import dataclass

from crm_assets.date_range import DateRange
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession

_READS_AVERAGED = 20
"""Reads of windows to take the average of: they differ from day to day."""


@dataclass(frozen=True)
class ReadHistory:
    """The complete reads of one resource in one mode."""

    reads: int = 0
    requests: int = 0
    """Requests of the last read."""
    per_day: float = 0.0
    """Requests per day of a window, over the last reads."""
    parents: int = 0
    """Parents the last read had."""


def history_of(session: WarehouseSession, resource: str, mode: str) -> ReadHistory:
    """Return the cost of the last complete reads of a resource.

    Args:
        session: The open warehouse.
        resource: Name of the resource.
        mode: ``full_refresh``, ``incremental`` or ``window``.
    """
    if not read_log.columns(session):
        return ReadHistory()
    rows = session.query(
        f"SELECT requests, date_range, details FROM {session.table(read_log.TABLE)} "
        f"WHERE resource = %s AND mode = %s AND complete ORDER BY finished_at DESC LIMIT {_READS_AVERAGED}",
        resource,
        mode,
    )
    if not rows:
        return ReadHistory()
    requests, _, details = rows[0]
    days = sum(_days_in(date_ranges) for _, date_ranges, _ in rows) if mode == "window" else 0
    per_day = sum(count for count, _, _ in rows) / days if days else 0.0
    return ReadHistory(len(rows), requests, per_day, json.loads(details)["parents"] or 0)


def _days_in(text: str) -> int:
    return sum(DateRange.parse(dates).days for dates in text.split(", ") if dates)
