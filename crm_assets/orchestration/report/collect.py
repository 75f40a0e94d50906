"""Gathers a report from Dagster's instance and from the read logs in the warehouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.keys import asset_key, report_key
from crm_assets.orchestration.partition_numbers import run_numbers
from crm_assets.orchestration.report.checks import checks_of, utc_moment
from crm_assets.orchestration.report.elsewhere import marked_if_elsewhere
from crm_assets.orchestration.report.model import Report, TableReport
from crm_assets.orchestration.report.runs import LastRuns
from crm_assets.warehouse.duckdb_file import LogFn
from crm_assets.warehouse.errors import WarehouseError
from crm_assets.warehouse.read_series import Change, Reading, changes_since, last_reads
from crm_assets.warehouse.warehouse import Warehouse

Series = dict[tuple[str, str], tuple[tuple[Reading, ...], Change]]
"""Connection and resource to the last reads, and what changed."""


def collect(
    connections: Sequence[Connection],
    instance: dg.DagsterInstance,
    warehouse: Warehouse,
    say: LogFn,
    at: datetime | None = None,
) -> Report:
    """Return the state of the connections' tables.

    Args:
        connections: The accounts.
        instance: Where Dagster keeps its events.
        warehouse: Where the read logs are; if it cannot be opened, the report says so and goes without.
        say: Told what the report waits for.
        at: When the report is made; now when left out.
    """
    since, unread, series = _last_report(connections, instance), "", Series()
    try:
        series = _series(connections, warehouse, since, say)
    except WarehouseError as error:
        unread = str(error)
    tables = [_with_reads(series, table) for table in _tables(connections, instance)]
    if not unread:
        tables = [marked_if_elsewhere(table, warehouse.place) for table in tables]
    return Report(at or datetime.now(timezone.utc), tuple(tables), since, unread)


def _with_reads(series: Series, table: TableReport) -> TableReport:
    reads, changes = series.get((table.connection, table.resource), ((), Change()))
    return replace(table, reads=reads, changes=changes)


def _last_report(connections: Sequence[Connection], instance: dg.DagsterInstance) -> datetime | None:
    event = instance.get_latest_materialization_event(report_key(connections[0])) if connections else None
    return utc_moment(event.timestamp) if event else None


def _series(connections: Sequence[Connection], warehouse: Warehouse, since: datetime | None, say: LogFn) -> Series:
    found = Series()
    if not warehouse.exists:
        return found
    with warehouse.working_folder() as folder:
        for connection in connections:
            with warehouse.session(connection.name, folder, say) as session:
                reads, changes = last_reads(session), changes_since(session, since)
            for name in reads:
                found[connection.name, name] = reads[name], changes.get(name, Change())
    return found


def _tables(connections: Sequence[Connection], instance: dg.DagsterInstance) -> Iterator[TableReport]:
    named = [(connection, resource) for connection in connections for resource in connection.system.tables]
    runs = LastRuns(instance, [asset_key(connection, resource.name) for connection, resource in named])
    for connection, resource in named:
        yield _table_report(connection, resource, instance, runs)


def _table_report(
    connection: Connection, resource: Resource, instance: dg.DagsterInstance, runs: LastRuns
) -> TableReport:
    key = asset_key(connection, resource.name)
    event = instance.get_latest_materialization_event(key)
    numbers = run_numbers(event.asset_materialization.metadata) if event and event.asset_materialization else {}
    rows, loaded = numbers.get("dagster/row_count"), numbers.get("rows_loaded")
    run_id = event.run_id if event else ""
    checks = tuple(checks_of(instance, connection, resource))
    failed = runs.failure(key, checks, run_id)
    return TableReport(
        connection.name,
        resource.name,
        key.to_user_string(),
        utc_moment(event.timestamp) if event else None,
        run_id,
        None if rows is None else int(rows),
        None if loaded is None else int(loaded),
        (*checks, failed) if failed else checks,
    )
