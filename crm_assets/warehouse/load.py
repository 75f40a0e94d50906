"""Load: verified spools into the warehouse in one dlt run, then what only a complete read allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import dlt
from dlt.extract import DltResource, DltSource

from crm_assets.declarations.connections import Connection
from crm_assets.declarations.models.system import Resource
from crm_assets.extract.decode.duckdb_types import quoted
from crm_assets.extract.read_report import ReadTask
from crm_assets.warehouse import read_log
from crm_assets.warehouse.dlt_schema import WRITE_DISPOSITION, dlt_columns
from crm_assets.warehouse.session import WarehouseSession

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult
    from crm_assets.extract.staging.staged_rows import StagedRows

Statement = tuple[str, tuple[Any, ...]]

_REJECTED_COLUMNS: Any = {
    "reason": {"name": "reason", "data_type": "text", "nullable": True},
    "record": {"name": "record", "data_type": "text", "nullable": True},
    "_read_id": {"name": "_read_id", "data_type": "text", "nullable": False},
}


def declared_source(connection: Connection) -> DltSource:
    """Return the source the assets are specified from: every declared list as a load delivers it, without its rows."""
    return _source(connection, [_resource(resource, ()) for resource in connection.system.resources])


def staged_source(connection: Connection, readings: list[ReadResult], session: WarehouseSession) -> DltSource:
    """Return the declared source with spools for rows, and one more resource for each that has rejects.

    Args:
        connection: Gives the source its name.
        readings: Complete readings only.
        session: Tells whether the destination takes Parquet files as they are, and which tables there are.
    """
    as_files = session.takes_parquet
    resources = [
        _resource(spool.resource, _delivery(spool, as_files), new=session.is_new(spool.resource.name))
        for reading in readings
        if (spool := reading.spool)
    ]
    resources += [_rejects(spool, as_files) for reading in readings if (spool := reading.spool) and spool.rejected]
    return _source(connection, resources)


def finalize_load(
    session: WarehouseSession, connection: Connection, readings: list[ReadResult], run_id: str
) -> dict[str, tuple[int, int]]:
    """Do, in one transaction, what follows a load: deletes that complete reads allow, views, and the read log.

    Returns:
        Rows deleted (or marked as deleted) and rows whose mark the guard refused, by resource.
    """
    settled: dict[str, tuple[int, int]] = {}
    statements: list[Statement] = [read_log.create(session)]
    if not session.pipeline.default_schema_name:
        statements.insert(0, (f"CREATE SCHEMA IF NOT EXISTS {quoted(session.dataset)}", ()))
    for reading in readings:
        name, gone, refused = reading.task.resource.name, 0, 0
        if reading.spool is not None:
            deletes, gone, refused = _deletes(session, connection, reading)
            statements += [*deletes, _current_view(session, name)]
        statements.append(read_log.entry(session, name, run_id, reading.proof, gone, refused))
        settled[name] = gone, refused
    session.execute(statements)
    return settled


def _source(connection: Connection, resources: list[DltResource]) -> DltSource:
    @dlt.source(name=connection.name)
    def source() -> list[DltResource]:
        return resources

    return source()


def _resource(declared: Resource, rows: Any, *, new: bool = False) -> DltResource:
    """Return a list as dlt's resource; into a new table its rows, which hold every key once, go without a merge."""
    columns: Any = dlt_columns(declared)
    write_disposition: Any = "append" if new else WRITE_DISPOSITION
    resource: DltResource = dlt.resource(
        rows,
        name=declared.name,
        primary_key=list(declared.primary_key),
        write_disposition=write_disposition,
        columns=columns,
    )
    return resource


def _rejects(spool: StagedRows, as_files: bool) -> DltResource:
    def deliver() -> Iterator[Any]:
        if as_files:
            yield dlt.mark.with_file_import(str(spool.rejected_path), "parquet", spool.rejected)
        else:
            import pyarrow.parquet as pq

            yield pq.read_table(spool.rejected_path)

    resource: DltResource = dlt.resource(
        deliver, name=f"{spool.resource.name}__rejected", write_disposition="append", columns=_REJECTED_COLUMNS
    )
    return resource


def _delivery(spool: StagedRows, as_files: bool) -> Callable[[], Iterator[Any]]:
    def deliver() -> Iterator[Any]:
        if as_files:
            yield dlt.mark.with_file_import(str(spool.path), "parquet", spool.rows)
        else:
            yield from spool.tables()

    return deliver


def _deletes(
    session: WarehouseSession, connection: Connection, reading: ReadResult
) -> tuple[list[Statement], int, int]:
    task, proof = reading.task, reading.proof
    rejects = _forget_rejects(session, reading)
    if proof.mode == "window":
        proof.strays = _strays(session, connection, reading)
    if proof.skipped or proof.rejected or proof.assumed or proof.mode == "incremental":
        return rejects, 0, 0
    if proof.mode == "window":
        statement = f"FROM {session.table(task.resource.name)} WHERE _read_id <> %s AND {_in_spans(task, connection)}"
        ((gone,),) = session.query(f"SELECT count(*) {statement}", proof.read_id)
        return [*rejects, (f"DELETE {statement}", (proof.read_id,))], gone, 0
    marks, gone, refused = _marks(session, connection, reading)
    return [*rejects, *marks], gone, refused


def _strays(session: WarehouseSession, connection: Connection, reading: ReadResult) -> int:
    """Count the rows just loaded that lie outside what was asked for."""
    task = reading.task
    padding_days = task.resource.window.padding_days if task.resource.window else 0
    ((strays,),) = session.query(
        f"SELECT count(*) FROM {session.table(task.resource.name)} "
        f"WHERE _read_id = %s AND NOT {_in_spans(replace(task, spans=task.reach), connection, padding_days)}",
        reading.proof.read_id,
    )
    return int(strays)


def _marks(session: WarehouseSession, connection: Connection, reading: ReadResult) -> tuple[list[Statement], int, int]:
    """A proven full refresh marks the rows it did not see, unless they are more than the guard's share."""
    resource, read_id = reading.task.resource, reading.proof.read_id
    table = session.table(resource.name)
    ((live, gone),) = session.query(
        f"SELECT count(*), count(CASE WHEN _read_id <> %s THEN 1 END) FROM {table} WHERE _deleted_at IS NULL", read_id
    )
    guard = resource.max_delete_fraction if connection.max_delete_fraction is None else connection.max_delete_fraction
    if not gone:
        return [], 0, 0
    if gone > guard * live:
        return [], 0, gone
    now = datetime.now(timezone.utc)
    return (
        [(f"UPDATE {table} SET _deleted_at = %s WHERE _read_id <> %s AND _deleted_at IS NULL", (now, read_id))],
        gone,
        0,
    )


def _forget_rejects(session: WarehouseSession, reading: ReadResult) -> list[Statement]:
    """A whole full refresh told of all rejects there are; those of earlier reads are history."""
    table = f"{reading.task.resource.name}__rejected"
    if reading.proof.mode == "incremental" or not session.columns(table):
        return []
    return [(f"DELETE FROM {session.table(table)} WHERE _read_id <> %s", (reading.proof.read_id,))]


def _in_spans(task: ReadTask, connection: Connection, padding_days: int = 0) -> str:
    window = task.resource.window
    if window is None:
        raise ValueError(f"{task.resource.name} has no window")
    column, parts = quoted(window.field), []
    for span in (one.widened(padding_days) for one in task.spans):
        if task.resource.columns[window.field].type.value == "date":
            bounds = span.start.isoformat(), (span.end - timedelta(days=1)).isoformat()
            parts.append(f"{column} BETWEEN DATE '{bounds[0]}' AND DATE '{bounds[1]}'")
        else:
            first, after = (moment.astimezone(timezone.utc).isoformat() for moment in span.instants(connection.zone))
            cast = "TIMESTAMP WITH TIME ZONE"
            parts.append(f"({column} >= {cast} '{first}' AND {column} < {cast} '{after}')")
    if window.include_undated:
        parts.append(f"{column} IS NULL")
    return f"({' OR '.join(parts)})"


def _current_view(session: WarehouseSession, name: str) -> Statement:
    view = session.table(f"{name}__current")
    return f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM {session.table(name)} WHERE _deleted_at IS NULL", ()
