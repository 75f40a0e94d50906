"""The days of windowed lists that are loaded, that are due, and that a former declaration read."""

from __future__ import annotations

import json
from datetime import date, timedelta

from crm_assets.date_range import DateRange, merge_ranges, without
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.listings import list_key
from crm_assets.extract.read_report import ListWindows, declared
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession

_ONLY_LIST = list_key(None, ())


def due_range(session: WarehouseSession | None, connection: Connection, resource: Resource, today: date) -> DateRange:
    """Return the days a windowed resource should be read for: from the first never loaded up to ``days_ahead``.

    Args:
        session: The open warehouse, or ``None`` if it does not exist yet.
        connection: Gives the first day.
        resource: Has a window.
        today: The current day in the connection's zone.
    """
    window = resource.window
    if window is None:
        raise ValueError(f"{resource.name} has no window")
    end = today + timedelta(days=1 + window.days_ahead)
    first = connection.start_date
    for dates in loaded_ranges(session, resource) if session else ():
        if dates.start <= first < dates.end:
            first = dates.end
    return DateRange(max(min(first, today - timedelta(days=window.lookback_days)), connection.start_date), end)


def list_windows(session: WarehouseSession, resource: Resource) -> ListWindows:
    """Return which lists were read for which days, from the entries of the read log in order."""
    loaded = loaded_ranges(session, resource)
    if not loaded:
        return ListWindows()
    reads = session.query(
        f"SELECT details FROM {session.table(read_log.TABLE)} WHERE resource = %s AND mode = 'window' AND complete "
        f"AND (details LIKE %s OR details LIKE %s) ORDER BY finished_at",
        resource.name,
        '%settled": ["%',
        '%"missed": {"%',
    )
    settled: set[str] = set()
    missed: dict[str, tuple[DateRange, ...]] = {}
    for facts in (json.loads(details) for (details,) in reads):
        settled = settled.union(facts["settled"]).difference(facts["unsettled"])
        missed = {key: ranges for key, ranges in missed.items() if key not in facts["settled"]}
        for key, texts in facts["missed"].items():
            missed[key] = (*missed.get(key, ()), *map(DateRange.parse, texts))
    if resource.parent is None and not resource.for_each:
        return ListWindows(frozenset({_ONLY_LIST}), missed.get(_ONLY_LIST, ()), missed)
    return ListWindows(frozenset(settled), loaded, missed)


def loaded_ranges(session: WarehouseSession, resource: Resource) -> tuple[DateRange, ...]:
    """Return the days of which complete reads were loaded, joined, in order; none where the table was dropped."""
    if not read_log.columns(session) or not session.columns(resource.name):
        return ()
    rows = session.query(
        f"SELECT DISTINCT date_range FROM {session.table(read_log.TABLE)} "
        f"WHERE resource = %s AND mode = 'window' AND complete",
        resource.name,
    )
    return merge_ranges([DateRange.parse(text) for (texts,) in rows for text in texts.split(", ") if text])


def outdated_ranges(session: WarehouseSession, connection: Connection, resource: Resource) -> tuple[DateRange, ...]:
    """Return the days that were last read before what the declaration requests, filters or puts into columns changed.

    Entries of earlier versions, which do not say what was declared, count as up to date.
    """
    reads = session.query(
        "SELECT date_range, details LIKE %s AND details NOT LIKE %s "
        f"FROM {session.table(read_log.TABLE)} WHERE resource = %s AND mode = 'window' AND complete "
        f"ORDER BY finished_at",
        '%"declaration": "%',
        f'%"declaration": "{declared(connection, resource)}"%',
        resource.name,
    )
    outdated: tuple[DateRange, ...] = ()
    for texts, former in reads:
        days = [DateRange.parse(text) for text in texts.split(", ") if text]
        outdated = merge_ranges([*outdated, *days]) if former else without(outdated, days)
    return outdated
