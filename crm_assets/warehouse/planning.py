"""What a run reads: a window's days, what changed, or the whole list."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import Any

from crm_assets.date_range import DateRange, merge_ranges
from crm_assets.declarations.connections import Connection
from crm_assets.declarations.models.system import Resource
from crm_assets.extract.decode.duckdb_types import quoted
from crm_assets.extract.read_report import ReadTask
from crm_assets.warehouse.session import WarehouseSession


def incremental_start(session: WarehouseSession, connection: Connection, resource: Resource) -> datetime | None:
    """Return where the next incremental read starts: the greatest loaded value less the lookback.

    It is read from the table itself, so it can only move with committed data. ``None`` means a full refresh: nothing is
    loaded yet, or the last full refresh is older than ``full_refresh_every``.
    """
    incremental = resource.incremental
    if incremental is None or not session.columns(resource.name) or _full_refresh_is_due(session, resource):
        return None
    ((greatest,),) = session.query(f"SELECT max({quoted(incremental.field)}) FROM {session.table(resource.name)}")
    return None if greatest is None else _moment(greatest, connection) - incremental.lookback


def task_of(resource: Resource, spans: tuple[DateRange, ...], since: datetime | None) -> ReadTask:
    """Return the task of one resource of a run."""
    return ReadTask(resource, spans=spans if resource.window else (), since=since if resource.incremental else None)


def _full_refresh_is_due(session: WarehouseSession, resource: Resource) -> bool:
    if resource.incremental is None or resource.incremental.full_refresh_every is None or not session.columns("_reads"):
        return False
    ((latest,),) = session.query(
        f"SELECT max(finished_at) FROM {session.table('_reads')} "
        f"WHERE resource = %s AND mode = 'full_refresh' AND complete",
        resource.name,
    )
    return latest is None or datetime.now(timezone.utc) - latest > resource.incremental.full_refresh_every


def _moment(value: Any, connection: Connection) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return datetime.combine(value, time(), connection.zone)


def due_range(session: WarehouseSession | None, connection: Connection, resource: Resource, today: date) -> DateRange:
    """Return the days a windowed resource should be read for: from the first never loaded up to ``days_ahead``.

    Args:
        session: The open warehouse, or ``None`` where there is none yet.
        connection: Gives the first day.
        resource: Has a window.
        today: The current day in the connection's zone.
    """
    window = resource.window
    if window is None:
        raise ValueError(f"{resource.name} has no window")
    end = today + timedelta(days=1 + window.days_ahead)
    first = connection.start_date
    for span in loaded_ranges(session, resource) if session else ():
        if span.start <= first < span.end:
            first = span.end
    return DateRange(max(min(first, today - timedelta(days=window.lookback_days)), connection.start_date), end)


def loaded_ranges(session: WarehouseSession, resource: Resource) -> tuple[DateRange, ...]:
    """Return the days of which complete reads were loaded, joined, in order; read from the read log."""
    if not session.columns("_reads"):
        return ()
    rows = session.query(
        f"SELECT DISTINCT span FROM {session.table('_reads')} WHERE resource = %s AND mode = 'window' AND complete",
        resource.name,
    )
    return merge_ranges([DateRange.parse(text) for (texts,) in rows for text in texts.split(", ") if text])
