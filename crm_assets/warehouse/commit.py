"""One transaction per resource: its rows, deletes, view and entry in the read log, together or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.signals import raise_if_stopped
from crm_assets.warehouse import read_log
from crm_assets.warehouse.changes import Changes, Committed
from crm_assets.warehouse.deletes import delete_unseen
from crm_assets.warehouse.dlt_schema import REJECTED_COLUMNS, dlt_columns
from crm_assets.warehouse.errors import WarehouseError, cause_of, first_null
from crm_assets.warehouse.history import history_alterations, record_versions
from crm_assets.warehouse.indexes import indexes
from crm_assets.warehouse.merge import merge_rows
from crm_assets.warehouse.schema_changes import additions, alterations, refusal, requirements, schema_changes
from crm_assets.warehouse.session import WarehouseSession
from crm_assets.warehouse.staging import Relations

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult

_LOOKED_AT_WHOLE = timedelta(days=7)
"""How often a table that is read by windows is counted, and its keys and versions compared, as by a full refresh."""


def commit_read(
    session: WarehouseSession, connection: Connection, reading: ReadResult, run_id: str, relations: Relations
) -> Committed:
    """Put one complete read into its table.

    Args:
        session: The open warehouse; the tables exist.
        connection: Gives the days their zone, and the guard its share.
        reading: The read.
        run_id: The Dagster run, for the read log.
        relations: Where the staged rows can be selected from, by table.

    Raises:
        WarehouseError: It could not be done; the sentence says in what state the table is.
    """
    reason, writing = refusal(session, reading.task.resource), True
    if reason:
        raise WarehouseError(reason)
    try:
        evolution = schema_changes(session, reading.task.resource)
        altering = [*_additions(session, reading), *alterations(session, reading.task.resource, evolution)]
        altering += indexes(session, reading.task.resource)
        if not session.capabilities.alters_in_transactions:
            session.execute([(statement, ()) for statement in altering])
        with session.transaction():
            for statement in altering if session.capabilities.alters_in_transactions else ():
                session.write(statement)
            done = _write_rows(session, connection, reading, relations)
            for statement in requirements(session, reading.task.resource, evolution):
                session.write(statement)
            entry = read_log.entry(session, reading, run_id, done)
            session.write(entry[0], *entry[1])
            writing = False
    except Exception as error:  # drivers of dlt's destinations share no class; whatever it is, this table alone fails
        raise_if_stopped()
        null = first_null(reading) if writing else None
        cause = f"{null} ({cause_of(error)})" if null else cause_of(error)
        raise not_written(session, reading, cause, writing) from error
    if not done.counted:
        session.changed_by[reading.task.resource.name] = reading.report.read_id
    return done


def not_written(session: WarehouseSession, reading: ReadResult, cause: str, writing: bool = True) -> WarehouseError:
    """Return the error of a read that could not be loaded.

    Args:
        session: Knows whether the destination has transactions.
        reading: The read.
        cause: What keeps it from being loaded.
        writing: Whether it failed while writing, and not in the last step, which makes all of it valid.
    """
    if not session.capabilities.transactions:
        state = "This destination has no transactions: check the table, and read the list again in full"
    elif writing:
        state = "Its rows are as they were"
    else:
        state = "Its rows are as they were, or all of the new ones if the last step went through: see _reads"
    if reading.task.resource.name in session.widened:
        state += ". Columns that are new in its declaration are there, without values"
    return WarehouseError(f"{session.dataset}.{reading.task.resource.name} could not be written: {cause}. {state}.")


def log_failed_reads(session: WarehouseSession, readings: list[ReadResult], run_id: str) -> None:
    """Enter the reads that brought nothing, with the reason."""
    session.execute([read_log.entry(session, reading, run_id) for reading in readings])


def failed_load(reading: ReadResult, reason: str) -> ReadResult:
    """Return a read that was complete and could not be loaded."""
    return replace(reading, report=replace(reading.report, complete=False, reason=reason.rstrip(".")))


def _additions(session: WarehouseSession, reading: ReadResult) -> list[str]:
    resource = reading.task.resource
    statements = additions(session, resource.name, dlt_columns(resource))
    if reading.staged and reading.staged.rejected:
        statements += additions(session, f"{resource.name}__rejected", REJECTED_COLUMNS)
    if resource.history:
        statements += history_alterations(session, resource)
    return statements


def _write_rows(
    session: WarehouseSession, connection: Connection, reading: ReadResult, relations: Relations
) -> Committed:
    resource, moment = reading.task.resource, reading.report.finished_at or datetime.now(timezone.utc)
    before = _rows_before(session, reading)
    changes = _merge(session, reading, relations, moment)
    deleted, refused = delete_unseen(session, connection, reading, moment)
    if resource.history:
        up_to_date = before is not None and _versions_were_kept(session, resource)
        record_versions(session, resource, moment, reading.report.read_id if up_to_date else None)
    if before is not None:
        return Committed(changes, deleted, refused, before + changes.new + changes.revived - deleted, counted=False)
    ((rows,),) = session.query(f"SELECT count(*) FROM {session.table(resource.name)} WHERE _deleted_at IS NULL")
    return Committed(changes, deleted, refused, int(rows), counted=True)


def _rows_before(session: WarehouseSession, reading: ReadResult) -> int | None:
    """Return the number of live rows before a read of few of them; ``None`` where the whole table is to be looked at.

    That is so after a full refresh, and where the table was emptied. Windows, which have no full refresh, do it if no
    read of the last week did, or the one before may have taken effect in part.
    """
    name, mode = reading.task.resource.name, reading.report.mode
    if mode == "full_refresh" or not session.query(f"SELECT 1 FROM {session.table(name)} LIMIT 1"):
        return None
    reads = read_log.complete_reads(session, name, ["table_rows", "finished_at", "details"])
    since = datetime.now(timezone.utc) - _LOOKED_AT_WHOLE
    lately = any(finished > since and json.loads(details).get("counted") for _, finished, details in reads)
    if not reads or (mode == "window" and not (lately and session.capabilities.transactions)):
        return None
    rows: int | None = reads[0][0]
    return rows


def _versions_were_kept(session: WarehouseSession, resource: Resource) -> bool:
    """Whether the read before kept versions, and took effect as a whole: those of all rows were up to date then."""
    last = read_log.last_complete(session, resource.name)
    return session.capabilities.transactions and last is not None and bool(last.details.get("history"))


def _merge(session: WarehouseSession, reading: ReadResult, relations: Relations, moment: datetime) -> Changes:
    resource, staged = reading.task.resource, reading.staged
    if staged is None:
        raise ValueError(f"{resource.name} was not read completely")
    if resource.write_disposition == "replace" and reading.report.mode == "full_refresh":
        session.write(f"DELETE FROM {session.table(resource.name)}")
    if staged.rejected:
        name = f"{resource.name}__rejected"
        names = ", ".join(map(session.column, REJECTED_COLUMNS))
        session.write(f"INSERT INTO {session.table(name)} ({names}) SELECT {names} FROM {relations[name]}")
    if not staged.rows:
        return Changes()
    last = read_log.last_complete(session, resource.name)
    by_now = read_log.rows_by(resource)
    rekeyed = last is not None and last.details.get("rows_by", by_now) != by_now
    return merge_rows(session, resource, relations[resource.name], staged.rows, moment, rekeyed=rekeyed)
