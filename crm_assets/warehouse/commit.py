"""One transaction per resource: its rows, deletes, view and entry in the read log, together or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from crm_assets.declarations.models.connection import Connection
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
    if reading.report.mode == "incremental":
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
    moment = reading.report.finished_at or datetime.now(timezone.utc)
    changes = _merge(session, reading, relations, moment)
    deleted, refused = delete_unseen(session, connection, reading, moment)
    if reading.task.resource.history:
        record_versions(session, reading.task.resource, moment, _only_changed_by(session, reading))
    return Committed(changes, deleted, refused, _table_rows(session, reading, changes))


def _only_changed_by(session: WarehouseSession, reading: ReadResult) -> str | None:
    """Return the read, where the versions of all rows that it did not bring are up to date.

    That is so after an incremental read, which deletes nothing, if the one before it kept versions and both took effect
    as a whole.
    """
    if reading.report.mode != "incremental" or not session.capabilities.transactions:
        return None
    last = read_log.last_complete(session, reading.task.resource.name)
    return reading.report.read_id if last and last.details.get("history") else None


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
    return merge_rows(session, resource, relations[resource.name], staged.rows, moment)


def _table_rows(session: WarehouseSession, reading: ReadResult, changes: Changes) -> int:
    """Return the number of live rows: counted, or after an incremental read, which deletes none, added to the last."""
    name = reading.task.resource.name
    if reading.report.mode == "incremental":
        before = read_log.complete_reads(session, name, ["table_rows"])
        if before and before[0][0] is not None:
            return int(before[0][0]) + changes.new + changes.revived
    ((rows,),) = session.query(f"SELECT count(*) FROM {session.table(name)} WHERE _deleted_at IS NULL")
    return int(rows)
