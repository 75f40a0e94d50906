"""Increments: where the next read of what changed starts, from the table itself and the read log.

Both move only with committed data. A start is the greatest loaded time that lies before the beginning of the read that
brought it, less the lookback: what changed while that read went on may have been missed by it, and a time that lies in
the future says nothing about what was read. Lists that hang on parents start where their own rows end, so that a parent
that is new, or was skipped, is read from the beginning, and so do lists of fixed values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timezone
from zoneinfo import ZoneInfo

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.incremental import Incremental
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.duckdb_types import quoted
from crm_assets.extract.http.filter_values import zone_of
from crm_assets.extract.read_report import declared
from crm_assets.warehouse import read_log
from crm_assets.warehouse.list_progress import list_columns, list_ends
from crm_assets.warehouse.session import WarehouseSession

_EARLIEST = datetime(1, 1, 3, tzinfo=timezone.utc)
"""Earliest starting point. .NET writes 0001-01-01 for a time that is not set: nothing is before it, in no zone."""


@dataclass(frozen=True)
class Start:
    """The start of an incremental read."""

    since: datetime | None = None
    """The starting point, the earliest where parents have their own; ``None`` for a full refresh."""
    by_parent: Mapping[str, datetime] = field(default_factory=dict)
    """Starting point by the parent's key, as text."""
    why: str = ""
    """Why it is a full refresh."""


def starting_point(session: WarehouseSession | None, connection: Connection, resource: Resource) -> Start:
    """Return the start of the next incremental read of a resource.

    Raises:
        ValueError: The resource is not read by increments.
    """
    incremental = resource.incremental
    if incremental is None:
        raise ValueError(f"{resource.name} has no incremental")
    if session is None or not session.columns(resource.name) or not read_log.columns(session):
        return Start(why="nothing is loaded yet")
    if why := _full_refresh_reason(session, connection, resource, incremental):
        return Start(why=why)
    placeholders = [resource.parent.placeholder] if resource.parent else [*resource.for_each]
    if not placeholders:
        since = _only_list(session, connection, resource, incremental)
        return Start(since, why="" if since else f"no loaded row has a {incremental.field}")
    if list_columns(resource):
        zone = zone_of(connection, resource, incremental.field)
        ends = list_ends(session, resource, zone)
        starts = {key: _starting_point(end, incremental, zone) for key, end in ends.items()}
        return Start(min(starts.values(), default=None), starts, "" if starts else f"no row has a {incremental.field}")
    if resource.parent is None and not _skipped_lately(session, resource):
        return Start(_only_list(session, connection, resource, incremental))
    names = ", ".join(f"{{{name}}}" for name in placeholders if not resource.column_of(name))
    return Start(why=f"no column contains {names}, so nothing says where each list ended")


def greatest_loaded(session: WarehouseSession, connection: Connection, resource: Resource) -> datetime | None:
    """Return the greatest loaded change time that is not in the future, or ``None``."""
    if resource.incremental is None or not session.columns(resource.name):
        return None
    zone, now = zone_of(connection, resource, resource.incremental.field), datetime.now(timezone.utc)
    column = quoted(resource.incremental.field)
    ((greatest,),) = session.query(
        f"SELECT max({column}) FROM {session.table(resource.name)} WHERE {column} <= {_bound(resource, now, zone)}"
    )
    return None if greatest is None else moment_of(greatest, zone)


def _full_refresh_reason(
    session: WarehouseSession, connection: Connection, resource: Resource, incremental: Incremental
) -> str:
    rows = session.query(
        f"SELECT finished_at, details FROM {session.table(read_log.TABLE)} "
        f"WHERE resource = %s AND mode = 'full_refresh' AND complete ORDER BY finished_at DESC LIMIT 1",
        resource.name,
    )
    if not rows:
        return "no full refresh is on record"
    ((latest, details),) = rows
    if json.loads(details).get("declaration", now_declared := declared(connection, resource)) != now_declared:
        return "its declaration changed since the last full refresh"
    if read_log.is_unsettled(session, resource.name):
        return "rows moved during the last full refresh"
    if datetime.now(timezone.utc) - latest > incremental.full_refresh_every:
        return f"the last full refresh was on {latest.astimezone(connection.zone):%Y-%m-%d}"
    children = [
        child.name for child in connection.system.resources if child.parent and child.parent.resource == resource.name
    ]
    for child in children:
        last = read_log.last_complete(session, child)
        if last and last.details.get("gone_parents") and last.finished_at > latest:
            return f"{child} found rows of it deleted at the source"
    return ""


def _only_list(
    session: WarehouseSession, connection: Connection, resource: Resource, incremental: Incremental
) -> datetime | None:
    last, zone = read_log.last_complete(session, resource.name), zone_of(connection, resource, incremental.field)
    if last is None:
        return None
    if last.mode == "incremental" and last.details.get("unproven"):
        return datetime.fromisoformat(last.date_range)
    began, column = min(last.started_at, datetime.now(timezone.utc)), quoted(incremental.field)
    # each by itself, which an index answers
    greatest_of = f"SELECT max({column}) FROM {session.table(resource.name)}"
    ((greatest, past),) = session.query(
        f"SELECT ({greatest_of}), ({greatest_of} WHERE {column} <= {_bound(resource, began, zone)})"
    )
    if greatest is None:
        return None
    return _starting_point(began if past is None else past, incremental, zone)


def _starting_point(newest: date | datetime, incremental: Incremental, zone: ZoneInfo) -> datetime:
    """Return the newest change time less the lookback; in an hour that clocks repeat, its first occurrence counts."""
    newest = max(moment_of(newest, zone), _EARLIEST).astimezone(zone).replace(fold=0).astimezone(timezone.utc)
    return newest - min(incremental.lookback, newest - _EARLIEST)


def _skipped_lately(session: WarehouseSession, resource: Resource) -> bool:
    """Whether a list was skipped by the last full refresh or after it."""
    log = session.table(read_log.TABLE)
    ((skipped,),) = session.query(
        f"SELECT count(*) FROM {log} WHERE resource = %s AND complete AND details LIKE %s AND finished_at >= "
        f"(SELECT max(finished_at) FROM {log} WHERE resource = %s AND mode = 'full_refresh' AND complete)",
        resource.name,
        '%"passed_over": ["%',
        resource.name,
    )
    return bool(skipped)


def _is_date(resource: Resource) -> bool:
    return resource.incremental is not None and resource.columns[resource.incremental.field].type.value == "date"


def _bound(resource: Resource, moment: datetime, zone: ZoneInfo) -> str:
    """Return the SQL literal of a moment, or of its day, to compare the change times with."""
    if _is_date(resource):
        return f"DATE '{moment.astimezone(zone).date().isoformat()}'"
    return f"TIMESTAMP WITH TIME ZONE '{moment.astimezone(timezone.utc).isoformat()}'"


def moment_of(value: date | datetime, zone: ZoneInfo) -> datetime:
    """Return a change time as a moment; a day begins at midnight of the zone."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), zone)
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
