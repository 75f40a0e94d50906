"""One step of one run: fetch, verify, load, finalize, check, and report to Dagster."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract import progress
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.http.tokens import token_stores
from crm_assets.extract.read_report import ReadTask
from crm_assets.orchestration.checks import evaluate
from crm_assets.orchestration.dlt_integration import CrmTranslator, StagedDltResource
from crm_assets.orchestration.keys import FULL_TAG, asset_key
from crm_assets.orchestration.metadata import read_metadata, rows_by_day
from crm_assets.orchestration.partitions import ranges_of
from crm_assets.orchestration.resources import CrmSecrets
from crm_assets.warehouse.commit import commit_read, failed_load, log_failed_reads, not_written
from crm_assets.warehouse.errors import WarehouseError, cause_of
from crm_assets.warehouse.known_keys import known_keys
from crm_assets.warehouse.load import Failures, each_alone, prepare, staged_rows, table_source
from crm_assets.warehouse.planning import plan_reads, unread
from crm_assets.warehouse.schema_changes import refusal
from crm_assets.warehouse.session import WarehouseSession
from crm_assets.warehouse.staging import Relations
from crm_assets.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult


@dataclass
class ConnectionRun:
    """What one step has to do and to do it with."""

    context: dg.AssetExecutionContext
    connection: Connection
    resources: list[Resource]
    partitions: dg.TimeWindowPartitionsDefinition | None
    warehouse: Warehouse
    secrets: CrmSecrets
    loader: StagedDltResource
    translator: CrmTranslator
    _failed: list[ReadResult] = field(default_factory=list)

    def run(self) -> Iterator[Any]:
        """Read the selected resources, load what is proven, evaluate the selected checks.

        Yields:
            Materializations and check results.

        Raises:
            dagster.Failure: Something could not be read or loaded; the rest is loaded and reported all the same.
        """
        wanted = [resource for resource in self.resources if self._key(resource) in self.context.selected_asset_keys]
        results: list[Any] = []
        try:
            with self.warehouse.working_folder() as folder:
                readings = self._fetch(wanted, folder) if wanted else []
                with self.warehouse.session(self.connection.name, folder, self._say_lock) as session:
                    self._load(session, readings, results)
        except (ReadError, WarehouseError) as error:
            problem: Exception | None = error
        except OSError as error:
            problem = WarehouseError(f"The data folder {self.warehouse.folder} cannot be used: {error.strerror}.")
        else:
            problem = None
        yield from results
        if problem:
            raise dg.Failure(str(problem), allow_retries=isinstance(problem, WarehouseError)) from problem
        if self._failed:
            raise self._failure(len(readings))

    @cached_property
    def _say(self) -> progress.SayFn:
        return progress.notices(self.connection.name, self.context.log.info)

    def _say_lock(self, text: str) -> None:
        self._say("lock", text)

    def _key(self, resource: Resource) -> dg.AssetKey:
        return asset_key(self.connection, resource.name)

    def _fetch(self, wanted: list[Resource], folder: Path) -> list[ReadResult]:
        from crm_assets.extract.decode.destination_limits import limits_of
        from crm_assets.extract.fetch import fetch

        problem = self.connection.unusable()
        if problem:
            raise ReadError(problem)
        secrets = self.secrets.of(self.connection)
        tasks, refused = self._tasks(wanted, folder)
        path = self.warehouse.folder / "budgets" / self.connection.name
        budget = RateLimiter(path, self.connection.budget, say=self._say)
        watch, limits = progress.watch_of(self.connection.name), limits_of(self.warehouse.destination)
        memory = self.warehouse.folder / "paging" / f"{self.connection.name}.json"
        stores = token_stores(self.connection.name, self.warehouse.folder)
        fetched = tasks and fetch(self.connection, tasks, secrets, folder, budget, watch, limits, memory, stores)
        readings = fetched or []
        for reading in [*readings, *refused]:
            self._log(reading)
        return [*readings, *refused]

    def _tasks(self, wanted: Iterable[Resource], folder: Path) -> tuple[list[ReadTask], list[ReadResult]]:
        """Return what to read, and the reads that are not even begun: their table would not take the rows."""
        from crm_assets.extract.fetch import ReadResult

        wanted = list(wanted)
        full = self.context.run.tags.get(FULL_TAG) == "true"
        spans = {resource.name: self._spans(resource) for resource in wanted}
        if not self.warehouse.exists:
            return plan_reads(None, self.connection, wanted, spans, full=full), []
        with self.warehouse.session(self.connection.name, folder, self._say_lock) as session:
            tasks = plan_reads(session, self.connection, wanted, spans, full=full)
            tasks = [replace(task, known=known_keys(session, task, folder)) for task in tasks]
            reasons = {one.name: reason for one in wanted if (reason := refusal(session, one))}
        refused = [
            ReadResult(task, unread(task, reasons[task.resource.name]), None)
            for task in tasks
            if task.resource.name in reasons
        ]
        kept = [task.resource for task in tasks if task.resource.name not in reasons]
        parents = {resource.parent.resource for resource in kept if resource.parent}
        # a refused parent is still read for the keys of its lists
        read = [replace(task, load=task.load and task.resource.name not in reasons) for task in tasks]
        return [task for task in read if task.load or task.resource.name in parents], refused

    def _spans(self, resource: Resource) -> tuple[DateRange, ...]:
        if resource.window is None or self.partitions is None:
            return ()
        return ranges_of(self.partitions, list(self.context.partition_keys), resource.window, self.connection)

    def _log(self, reading: ReadResult) -> None:
        name, proof = reading.task.resource.name, reading.proof
        if proof.complete:
            self.context.log.info(
                f"{name}: {proof.rows} rows from {proof.pages} pages in {proof.seconds_fetch:.1f} s "
                f"({proof.mode}, {proof.requests} requests, {proof.retries} retries); {proof.reason}"
            )
        else:
            self.context.log.error("\n".join(filter(None, (proof.reason, reading.bug))))

    def _load(self, session: WarehouseSession, readings: list[ReadResult], results: list[Any]) -> None:
        """Put each complete read into its table, by itself, and add what Dagster is to hear of it to the results."""
        complete = {reading.task.resource.name: reading for reading in readings if reading.proof.complete}
        self._failed = [reading for reading in readings if not reading.proof.complete]
        if readings:
            prepare(session)
        loaded, unmade = self._make_tables(session, [*complete.values()])
        with staged_rows(session, [complete[name] for name in loaded]) as (staged, unstaged):
            for name, reading in complete.items():
                problem = unmade.get(name) or unstaged.get(name)
                try:
                    if problem:
                        raise not_written(session, reading, problem)
                    results.append(self._committed(session, reading, staged, loaded[name]))
                except WarehouseError as error:
                    self.context.log.error(str(error))
                    self._failed.append(failed_load(reading, str(error)))
        done = complete.keys() - {reading.task.resource.name for reading in self._failed}
        self._log_failed_reads(session)
        for resource in self.resources:
            if resource.name not in done:
                results += self._checks(session, resource)

    def _make_tables(
        self, session: WarehouseSession, complete: list[ReadResult]
    ) -> tuple[dict[str, dict[str, Any]], Failures]:
        """Let dlt make tables and columns that are missing; return what it says of each resource, and what failed."""
        readings, loaded = {reading.task.resource.name: reading for reading in complete}, {}

        def make(names: list[str]) -> None:
            source = table_source(self.connection, [readings[name] for name in names], session)
            pipeline = session.open_pipeline(session.dataset)
            for result in self.loader.run(self.context, source, pipeline, self.translator):
                if result.asset_key:
                    loaded[result.asset_key.path[-1]] = dict(result.metadata or {})

        failures = each_alone([*readings], make) if readings else {}
        session.forget_catalog()
        return loaded, failures

    def _committed(
        self, session: WarehouseSession, reading: ReadResult, staged: Relations, loaded: dict[str, Any]
    ) -> dg.MaterializeResult[Any]:
        resource, started = reading.task.resource, time.perf_counter()
        done = commit_read(session, self.connection, reading, self.context.run.run_id, staged)
        seconds_load, started = round(time.perf_counter() - started, 3), time.perf_counter()
        checks = self._checks(session, resource)
        seconds_checks = round(time.perf_counter() - started, 3)
        metadata = {**loaded, **read_metadata(session, reading, done)}
        metadata |= {"seconds_load": seconds_load, "seconds_checks": seconds_checks}
        self._describe_partitions(session, reading)
        return dg.MaterializeResult(asset_key=self._key(resource), metadata=metadata, check_results=checks)

    def _log_failed_reads(self, session: WarehouseSession) -> None:
        try:
            log_failed_reads(session, self._failed, self.context.run.run_id)
        except Exception as error:
            self.context.log.error(f"The read log could not be written: {cause_of(error)}.")

    def _describe_partitions(self, session: WarehouseSession, reading: ReadResult) -> None:
        if self.partitions is None:
            return
        resource = reading.task.resource
        days = rows_by_day(session, self.connection, resource)
        for key in self.context.partition_keys:
            (span,) = ranges_of(self.partitions, [key], resource.window, self.connection) if resource.window else ()
            rows = sum(count for day, count in days.items() if span.start <= day < span.end)
            self.context.add_asset_metadata(
                {"dagster/partition_row_count": rows}, asset_key=self._key(resource), partition_key=key
            )

    def _checks(self, session: WarehouseSession, resource: Resource) -> list[dg.AssetCheckResult]:
        return [
            evaluate(session, self.connection, resource, check.name)
            for check in sorted(self.context.selected_asset_check_keys)
            if check.asset_key == self._key(resource)
        ]

    def _failure(self, total: int) -> dg.Failure:
        failed = [reading.task.resource.name for reading in self._failed]
        return dg.Failure(
            f"{len(failed)} of {total} resources of {self.connection.name} could not be read or loaded: "
            f"{', '.join(failed)}. {self._failed[0].proof.reason}.",
            metadata={reading.task.resource.name: reading.proof.reason for reading in self._failed},
            allow_retries=False,
        )
