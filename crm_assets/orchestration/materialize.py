"""One step of one run: fetch, verify, load, finalize, check, and report to Dagster."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from crm_assets.date_range import DateRange
from crm_assets.declarations.connections import Connection
from crm_assets.declarations.models.system import Resource
from crm_assets.extract import progress
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.read_report import ReadTask
from crm_assets.orchestration.checks import evaluate
from crm_assets.orchestration.dlt_integration import CrmTranslator, StagedDltResource
from crm_assets.orchestration.keys import FULL_TAG, asset_key
from crm_assets.orchestration.metadata import read_metadata, rows_by_day
from crm_assets.orchestration.partitions import ranges_of
from crm_assets.orchestration.resources import CrmSecrets
from crm_assets.warehouse.errors import WarehouseError
from crm_assets.warehouse.load import finalize_load, staged_source
from crm_assets.warehouse.planning import plan_reads
from crm_assets.warehouse.session import WarehouseSession
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
    _events: list[Any] = field(default_factory=list)

    def run(self) -> Iterator[Any]:
        """Read the selected resources, load what is proven, evaluate the selected checks.

        Yields:
            Materializations and check results.

        Raises:
            dagster.Failure: Something could not be read or loaded; the rest is loaded and reported all the same.
        """
        wanted = [resource for resource in self.resources if self._key(resource) in self.context.selected_asset_keys]
        try:
            with self.warehouse.working_folder() as folder:
                readings = self._fetch(wanted, folder) if wanted else []
                with self.warehouse.session(self.connection.name, folder, self._say_lock) as session:
                    results = [*self._results(session, readings)]
        except (ReadError, WarehouseError) as error:
            raise dg.Failure(str(error), allow_retries=isinstance(error, WarehouseError)) from error
        except OSError as error:
            raise dg.Failure(f"The data folder {self.warehouse.folder} cannot be used: {error.strerror}.") from error
        yield from results
        failed = [reading for reading in readings if not reading.proof.complete]
        if failed:
            raise self._failure(failed, len(readings))

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
        tasks = self._tasks(wanted, folder)
        path = self.warehouse.folder / "budgets" / self.connection.name
        budget = RateLimiter(path, self.connection.budget, say=self._say)
        watch, limits = progress.watch_of(self.connection.name), limits_of(self.warehouse.destination)
        readings = fetch(self.connection, tasks, secrets, folder, budget, watch=watch, limits=limits)
        for reading in readings:
            self._log(reading)
        return readings

    def _tasks(self, wanted: Iterable[Resource], folder: Path) -> list[ReadTask]:
        wanted = list(wanted)
        full = self.context.run.tags.get(FULL_TAG) == "true"
        spans = {resource.name: self._spans(resource) for resource in wanted}
        if not self.warehouse.exists or not any(
            one.incremental or one.parent for one in self.connection.system.resources
        ):
            return plan_reads(None, self.connection, wanted, spans, full=full)
        with self.warehouse.session(self.connection.name, folder, self._say_lock) as session:
            return plan_reads(session, self.connection, wanted, spans, full=full)

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
            self.context.log.error(proof.reason)

    def _results(self, session: WarehouseSession, readings: list[ReadResult]) -> Iterator[Any]:
        complete, started = [reading for reading in readings if reading.proof.complete], time.perf_counter()
        loaded = self._load(session, complete) if complete else {}
        settled = finalize_load(session, self.connection, readings, self.context.run.run_id) if readings else {}
        seconds_load = round(time.perf_counter() - started, 3)
        for reading in complete:
            key, started = self._key(reading.task.resource), time.perf_counter()
            checks = self._checks(session, reading.task.resource)
            seconds_checks = round(time.perf_counter() - started, 3)
            metadata = {**loaded[key], **read_metadata(session, reading, settled)}
            metadata |= {"seconds_load": seconds_load, "seconds_checks": seconds_checks}
            self._describe_partitions(session, reading)
            yield dg.MaterializeResult(asset_key=key, metadata=metadata, check_results=checks)
        done = {reading.task.resource.name for reading in complete}
        for resource in self.resources:
            if resource.name not in done:
                yield from self._checks(session, resource)

    def _load(self, session: WarehouseSession, complete: list[ReadResult]) -> dict[dg.AssetKey, dict[str, Any]]:
        source = staged_source(self.connection, complete, session)
        results = self.loader.run(
            self.context,
            source,
            session.pipeline,
            self.translator,
            loader_file_format="parquet" if session.takes_parquet else "csv",
        )
        try:
            loaded = {result.asset_key: dict(result.metadata or {}) for result in results if result.asset_key}
        except Exception:
            session.abandon_staging()
            raise
        session.drop_staging()
        return loaded

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

    def _failure(self, failed: list[ReadResult], total: int) -> dg.Failure:
        names = ", ".join(reading.task.resource.name for reading in failed)
        return dg.Failure(
            f"{len(failed)} of {total} resources of {self.connection.name} could not be read: {names}. "
            f"{failed[0].proof.reason}.",
            metadata={reading.task.resource.name: reading.proof.reason for reading in failed},
            allow_retries=False,
        )
