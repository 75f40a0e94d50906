"""Deletes, which only a complete read allows: rows it did not see are deleted, or marked as deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.incremental import names_days
from crm_assets.extract.http.filter_values import zone_of
from crm_assets.extract.read_report import ReadTask
from crm_assets.warehouse.history import end_versions
from crm_assets.warehouse.session import WarehouseSession

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult


def delete_unseen(
    session: WarehouseSession, connection: Connection, reading: ReadResult, moment: datetime
) -> tuple[int, int]:
    """Delete what a complete read of the same rows no longer found, in the transaction that is open.

    Args:
        session: The open warehouse.
        connection: Gives the days their zone, and the guard its share.
        reading: The read.
        moment: When the rows were read.

    Returns:
        Live rows deleted or marked as deleted, and rows whose mark ``max_delete_fraction`` forbids.
    """
    report = reading.report
    _forget_rejects(session, reading)
    _forget_keyless(session, reading)
    if report.mode == "window":
        report.strays = _strays(session, connection, reading)
    if not report.deletions_allowed or report.mode == "incremental":
        return 0, 0
    if report.mode == "window":
        return _delete_in_window(session, connection, reading, moment), 0
    if reading.task.resource.write_disposition != "merge":
        return 0, 0
    return _mark_unseen(session, connection, reading, moment)


def _delete_in_window(session: WarehouseSession, connection: Connection, reading: ReadResult, moment: datetime) -> int:
    """Delete the window's rows that the read did not bring: the window is read whole, and they are not in it."""
    resource, read_id = reading.task.resource, reading.report.read_id
    table, unseen = session.table(resource.name), f"_read_id <> %s AND {in_ranges(session, reading.task, connection)}"
    ((gone, live),) = session.query(
        f"SELECT count(*), count(CASE WHEN _deleted_at IS NULL THEN 1 END) FROM {table} WHERE {unseen}", read_id
    )
    if gone and resource.history:
        end_versions(session, resource, moment, unseen, read_id)
    if gone:
        session.write(f"DELETE FROM {table} WHERE {unseen}", read_id)
    return int(live)


def _strays(session: WarehouseSession, connection: Connection, reading: ReadResult) -> int:
    """Count the rows just loaded that lie outside what was asked for."""
    task = reading.task
    requested = in_ranges(session, replace(task, date_ranges=task.reach), connection, _padding(task, connection))
    ((strays,),) = session.query(
        f"SELECT count(*) FROM {session.table(task.resource.name)} WHERE _read_id = %s AND NOT {requested}",
        reading.report.read_id,
    )
    return int(strays)


def _padding(task: ReadTask, connection: Connection) -> int:
    """Return the days asked for on either side; days of another time zone than the connection's begin in others."""
    window = task.resource.window
    if window is None:
        return 0
    other_days = names_days(window.format) and zone_of(connection, task.resource, window.field) != connection.zone
    return window.padding_days + other_days


def _mark_unseen(
    session: WarehouseSession, connection: Connection, reading: ReadResult, moment: datetime
) -> tuple[int, int]:
    """Mark the rows that a proven full refresh did not see, unless they are more than the guard's share."""
    resource, read_id = reading.task.resource, reading.report.read_id
    table = session.table(resource.name)
    ((live, gone),) = session.query(
        f"SELECT count(*), count(CASE WHEN _read_id <> %s THEN 1 END) FROM {table} WHERE _deleted_at IS NULL", read_id
    )
    guard = resource.max_delete_fraction if connection.max_delete_fraction is None else connection.max_delete_fraction
    if gone > guard * live:
        return 0, gone
    if gone:
        marks = "_deleted_at = %s, _changed_at = %s"
        unseen = "_read_id <> %s AND _deleted_at IS NULL"
        session.write(f"UPDATE {table} SET {marks} WHERE {unseen}", moment, moment, read_id)
    return gone, 0


def _forget_rejects(session: WarehouseSession, reading: ReadResult) -> None:
    """Delete the rejects of earlier reads: a full refresh reports all there are."""
    table = f"{reading.task.resource.name}__rejected"
    if reading.report.mode != "incremental" and session.columns(table):
        session.write(f"DELETE FROM {session.table(table)} WHERE _read_id <> %s", reading.report.read_id)


def in_ranges(session: WarehouseSession, task: ReadTask, connection: Connection, padding_days: int = 0) -> str:
    """Return the condition that a row belongs to the windows that are read, or to days before and after them."""
    window = task.resource.window
    if window is None:
        raise ValueError(f"{task.resource.name} has no window")
    column, parts = session.column(window.field), []
    for dates in (requested.widened(padding_days) for requested in task.date_ranges):
        if task.resource.columns[window.field].type is ColumnType.DATE:
            bounds = dates.start.isoformat(), (dates.end - timedelta(days=1)).isoformat()
            parts.append(f"{column} BETWEEN DATE '{bounds[0]}' AND DATE '{bounds[1]}'")
        else:
            first, after = (moment.astimezone(timezone.utc).isoformat() for moment in dates.instants(connection.zone))
            cast = "TIMESTAMP WITH TIME ZONE"
            parts.append(f"({column} >= {cast} '{first}' AND {column} < {cast} '{after}')")
    if window.include_undated:
        parts.append(f"{column} IS NULL")
    return f"({' OR '.join(parts)})"


def _forget_keyless(session: WarehouseSession, reading: ReadResult) -> None:
    """Delete the rows of a former key that lack a column of the present one: a full refresh brought them again."""
    resource, report = reading.task.resource, reading.report
    columns = session.columns(resource.name)
    lacking = [f"{session.column(key)} IS NULL" for key in resource.primary_key if columns[key][1]]
    merged = resource.write_disposition == "merge" and report.mode == "full_refresh"
    if lacking and merged and not (report.skipped or report.missing_parents):
        session.write(f"DELETE FROM {session.table(resource.name)} WHERE {' OR '.join(lacking)}")
