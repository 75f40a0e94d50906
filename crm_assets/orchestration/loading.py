"""The second half of a step: load what was read, evaluate checks, and report to Dagster."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from crm_assets.declarations.models.connection import SHARED_SCHEMA, Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.signals import raise_if_stopped
from crm_assets.orchestration.checks import evaluate
from crm_assets.orchestration.dlt_integration import CrmTranslator, StagedDltResource
from crm_assets.orchestration.keys import asset_key
from crm_assets.orchestration.metadata import read_metadata
from crm_assets.orchestration.partition_numbers import own_numbers, rows_by_day, without_run_numbers
from crm_assets.orchestration.partitions import ranges_of
from crm_assets.warehouse import all_reads, comments
from crm_assets.warehouse.changes import Committed
from crm_assets.warehouse.commit import commit_read, failed_load, log_failed_reads, not_written
from crm_assets.warehouse.dlt_log import without_json_warning
from crm_assets.warehouse.errors import WarehouseError, cause_of
from crm_assets.warehouse.load import Failures, each_alone, lacks_table, prepare_schema, staged_rows, table_source
from crm_assets.warehouse.schema_changes import missing_columns
from crm_assets.warehouse.session import WarehouseSession
from crm_assets.warehouse.staging import Relations

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult


@dataclass
class Loader:
    """Loads the reads of one step, each table by itself."""

    context: dg.AssetExecutionContext
    connection: Connection
    resources: list[Resource]
    partitions: dg.TimeWindowPartitionsDefinition | None
    dlt: StagedDltResource
    translator: CrmTranslator
    failed: list[ReadResult] = field(default_factory=list)
    """Reads that are short or could not be loaded."""
    _metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Metadata of the materializations, by resource."""

    def load(self, session: WarehouseSession, readings: list[ReadResult], results: list[Any]) -> None:
        """Load each complete read into its table.

        Args:
            session: The open warehouse.
            readings: What was fetched.
            results: Materializations and check results are appended, so that they survive a failure further on.
        """
        complete = {reading.task.resource.name: reading for reading in readings if reading.report.complete}
        self.failed = [reading for reading in readings if not reading.report.complete]
        if readings:
            self._prepare(session)
        loaded, unmade = self._make_tables(session, [*complete.values()])
        with staged_rows(session, [complete[name] for name in loaded]) as (relations, unstaged):
            for name, reading in complete.items():
                raise_if_stopped()
                problem = unmade.get(name) or unstaged.get(name)
                try:
                    if problem:
                        raise not_written(session, reading, problem)
                    results.append(self._committed(session, reading, relations, loaded[name]))
                except WarehouseError as error:
                    self.context.log.error(str(error))
                    self.failed.append(failed_load(reading, str(error)))
        self._log_failed_reads(session)
        if complete:
            described = [reading.task.resource for reading in complete.values()]
            self._aside("The comments of tables", comments.describe, session, described)
        for resource in self.resources:  # when all are loaded, because some checks look at several tables
            started = time.perf_counter()
            results += self._checks(session, resource)
            self._metadata.get(resource.name, {})["seconds_checks"] = round(time.perf_counter() - started, 3)

    def _prepare(self, session: WarehouseSession) -> None:
        prepare_schema(session)
        self._aside(f"The view {SHARED_SCHEMA}.{all_reads.VIEW}", all_reads.refresh, session)

    def _aside(self, what: str, write: Callable[..., None], *arguments: Any) -> None:
        """Write what no table waits for."""
        try:
            write(*arguments)
        except Exception as error:  # of any driver; tables are loaded already and must not fail for it
            self.context.log.warning(f"{what} could not be written: {cause_of(error)}.")

    def _make_tables(
        self, session: WarehouseSession, complete: list[ReadResult]
    ) -> tuple[dict[str, dict[str, Any]], Failures]:
        """Let dlt make missing tables and columns; return its metadata of each resource, and the failures.

        dlt is not run for a table that has them: that would take as long as the load of its rows.
        """
        readings, loaded = {reading.task.resource.name: reading for reading in complete}, {}

        def make(names: list[str]) -> None:
            lacking = {name: missing_columns(session, readings[name].task.resource) for name in names}
            if statements := [(statement, ()) for each in lacking.values() for statement in each]:
                session.execute(statements)
                session.widened |= {name for name in names if lacking[name]}
            changed = [readings[name] for name in names if lacking[name] or lacks_table(session, readings[name])]
            made = self._made_by_dlt(session, changed) if changed else {}
            loaded.update({name: made.get(name, {}) for name in names})

        return loaded, each_alone([*readings], make) if readings else {}

    def _made_by_dlt(self, session: WarehouseSession, readings: list[ReadResult]) -> dict[str, dict[str, Any]]:
        source, pipeline = table_source(self.connection, readings, session), session.open_pipeline(session.dataset)
        try:
            with without_json_warning():
                results = [*self.dlt.run(self.context, source, pipeline, self.translator)]
        finally:
            session.forget_catalog()
        return {result.asset_key.path[-1]: dict(result.metadata or {}) for result in results if result.asset_key}

    def _committed(
        self, session: WarehouseSession, reading: ReadResult, relations: Relations, loaded: dict[str, Any]
    ) -> dg.MaterializeResult[Any]:
        resource, started = reading.task.resource, time.perf_counter()
        done = commit_read(session, self.connection, reading, self.context.run.run_id, relations)
        metadata = {**loaded, **read_metadata(session, reading, done)}
        seconds = metadata["seconds_load"] = round(time.perf_counter() - started, 3)
        self._metadata[resource.name] = metadata
        if self.partitions:
            self._describe_partitions(session, reading)
            if len(self.context.partition_keys) > 1:
                metadata, self._metadata[resource.name] = without_run_numbers(metadata)
        self.context.log.info(_told(resource, done, seconds))
        return dg.MaterializeResult(asset_key=asset_key(self.connection, resource.name), metadata=metadata)

    def _log_failed_reads(self, session: WarehouseSession) -> None:
        try:
            log_failed_reads(session, self.failed, self.context.run.run_id)
        except Exception as error:  # of any driver; the reads have failed and are reported without it, too
            self.context.log.error(f"The read log could not be written: {cause_of(error)}.")

    def _describe_partitions(self, session: WarehouseSession, reading: ReadResult) -> None:
        """Give each partition its own numbers."""
        resource, keys = reading.task.resource, self.context.partition_keys
        if self.partitions is None or resource.window is None:
            return
        days = rows_by_day(session, self.connection, reading)
        for key in keys:
            (dates,) = ranges_of(self.partitions, [key], resource.window, self.connection)
            self.context.add_asset_metadata(
                own_numbers(days, dates, several=len(keys) > 1),
                asset_key=asset_key(self.connection, resource.name),
                partition_key=key,
            )

    def _checks(self, session: WarehouseSession, resource: Resource) -> list[dg.AssetCheckResult]:
        return [
            evaluate(session, self.connection, resource, check.name)
            for check in sorted(self.context.selected_asset_check_keys)
            if check.asset_key == asset_key(self.connection, resource.name)
        ]


def _told(resource: Resource, done: Committed, seconds: float) -> str:
    changes = done.changes
    text = (
        f"{resource.name}: loaded in {seconds:.1f} s: {changes.new:,} new, {changes.changed:,} changed, "
        f"{changes.unchanged:,} unchanged, {done.deleted:,} deleted; the table has {done.table_rows:,} rows."
    )
    refused = f" {done.refused:,} that vanished were not marked: more than max_delete_fraction." if done.refused else ""
    return text + refused
