"""What a run reads: a window's days, a cursor's changes, or the whole list."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import Any

from crm_assets.partitions import joined
from crm_assets.rest.proof import Task
from crm_assets.rest.request import Span
from crm_assets.rest.types import quoted
from crm_assets.session import Session
from crm_assets.spec.connections import Connection
from crm_assets.spec.system import Resource


def cursor_start(session: Session, connection: Connection, resource: Resource) -> datetime | None:
    """Return where the resource's cursor starts: the greatest loaded value less the lookback.

    It is read from the table itself, so it can only move with committed data. ``None`` means a sweep: nothing is
    loaded yet, or the last sweep is older than the cursor's ``resweep``.
    """
    cursor = resource.cursor
    if cursor is None or not session.columns(resource.name) or _sweep_is_due(session, resource):
        return None
    ((greatest,),) = session.query(f"SELECT max({quoted(cursor.field)}) FROM {session.table(resource.name)}")
    return None if greatest is None else _moment(greatest, connection) - cursor.lookback


def task_of(resource: Resource, spans: tuple[Span, ...], since: datetime | None) -> Task:
    """Return the task of one resource of a run."""
    return Task(resource, spans=spans if resource.window else (), since=since if resource.cursor else None)


def _sweep_is_due(session: Session, resource: Resource) -> bool:
    if resource.cursor is None or resource.cursor.resweep is None or not session.columns("_reads"):
        return False
    ((latest,),) = session.query(
        f"SELECT max(finished_at) FROM {session.table('_reads')} WHERE resource = %s AND mode = 'sweep' AND complete",
        resource.name,
    )
    return latest is None or datetime.now(timezone.utc) - latest > resource.cursor.resweep


def _moment(value: Any, connection: Connection) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return datetime.combine(value, time(), connection.zone)


def due_span(session: Session | None, connection: Connection, resource: Resource, today: date) -> Span:
    """Return the days a windowed resource should be read for: the first never loaded to the horizon, and the trailing.

    Args:
        session: The open warehouse, or ``None`` where there is none yet.
        connection: Gives the first day.
        resource: Has a window.
        today: The current day in the connection's zone.
    """
    window = resource.window
    if window is None:
        raise ValueError(f"{resource.name} has no window")
    end = today + timedelta(days=1 + window.horizon)
    first = connection.start_date
    for span in loaded_spans(session, resource) if session else ():
        if span.start <= first < span.end:
            first = span.end
    return Span(max(min(first, today - timedelta(days=window.trailing)), connection.start_date), end)


def loaded_spans(session: Session, resource: Resource) -> tuple[Span, ...]:
    """Return the days of which complete reads were loaded, joined, in order; read from the ledger."""
    if not session.columns("_reads"):
        return ()
    rows = session.query(
        f"SELECT DISTINCT span FROM {session.table('_reads')} WHERE resource = %s AND mode = 'window' AND complete",
        resource.name,
    )
    return joined([Span.parse(text) for (texts,) in rows for text in texts.split(", ") if text])
