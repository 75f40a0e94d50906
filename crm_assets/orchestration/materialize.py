"""One step of one run: fetch, verify, load, check, and report to Dagster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract import progress
from crm_assets.extract.errors import ReadError
from crm_assets.extract.signals import no_signal_lost
from crm_assets.orchestration.dagster_compat import ExpectedError
from crm_assets.orchestration.dlt_integration import CrmTranslator, StagedDltResource
from crm_assets.orchestration.fetching import Fetcher
from crm_assets.orchestration.keys import asset_key
from crm_assets.orchestration.loading import Loader
from crm_assets.orchestration.resources import CrmSecrets
from crm_assets.orchestration.shared_state.run_locks import run_locks
from crm_assets.warehouse.errors import WarehouseError
from crm_assets.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult


@dataclass
class ConnectionRun:
    """The work of one step, and the tools for it."""

    context: dg.AssetExecutionContext
    connection: Connection
    resources: list[Resource]
    partitions: dg.TimeWindowPartitionsDefinition | None
    warehouse: Warehouse
    secrets: CrmSecrets
    loader: StagedDltResource
    translator: CrmTranslator

    def run(self) -> Iterator[Any]:
        """Read the selected resources, load the complete reads, evaluate the selected checks.

        Yields:
            Materializations and check results.

        Raises:
            dagster.Failure: Something could not be read or loaded; the rest is loaded and reported all the same.
        """
        with ExitStack() as held:
            try:
                held.enter_context(self._lock())
            except ReadError as error:
                raise ExpectedError(f"{self.connection.name} was not read: {error}.") from error
            yield from self._run()

    def _lock(self) -> AbstractContextManager[None]:
        """Hold the run's lock where runs may be on several machines, so that others see if this one is gone.

        Raises:
            ReadError: The instance's database cannot be used.
        """
        locks = run_locks(self.context.instance, self.warehouse.runs)
        step = self.context.assets_def.op.name
        return locks.hold(self.context.run.run_id, step) if locks.shared else nullcontext()

    def _run(self) -> Iterator[Any]:
        wanted = [resource for resource in self.resources if self._is_selected(resource)]
        fetcher = Fetcher(self.context, self.connection, self.partitions, self.warehouse, self.secrets, self._say)
        loader = Loader(self.context, self.connection, self.resources, self.partitions, self.loader, self.translator)
        results: list[Any] = []
        try:
            with no_signal_lost(), self.warehouse.working_folder() as folder:
                readings = fetcher.fetch(wanted, folder) if wanted else []
                with self.warehouse.session(
                    self.connection.name, folder, lambda text: self._say("lock", text)
                ) as session:
                    loader.load(session, readings, results)
                self._settle(fetcher, loader, readings)
        except (ReadError, WarehouseError) as error:
            problem: Exception | None = error
        except OSError as error:
            problem = WarehouseError(f"The data folder {self.warehouse.folder} cannot be used: {error.strerror}.")
        else:
            problem = None
        finally:
            fetcher.journals.close()
        yield from results
        if problem:
            self.context.log.debug("Cause of the failure:", exc_info=problem)
            raise ExpectedError(str(problem), allow_retries=isinstance(problem, WarehouseError)) from problem
        if loader.failed:
            raise self._failure(loader.failed, len(readings))

    def _settle(self, fetcher: Fetcher, loader: Loader, readings: list[ReadResult]) -> None:
        """Remove what was kept of reads, but of those that failed and of the parents of their lists."""
        failed = {reading.task.resource.name for reading in loader.failed}
        read = {reading.task.resource.name for reading in readings if reading.report.complete}
        needed, pending = set(failed), [*failed]
        while pending:
            parent = self.connection.system.resource(pending.pop()).parent
            if parent and parent.resource not in read | needed:
                needed.add(parent.resource)
                pending.append(parent.resource)
        fetcher.journals.settle(needed, read & failed)

    @cached_property
    def _say(self) -> progress.SayFn:
        return progress.notices(self.connection.name, self.context.log.info)

    def _is_selected(self, resource: Resource) -> bool:
        return asset_key(self.connection, resource.name) in self.context.selected_asset_keys

    def _failure(self, readings: list[ReadResult], total: int) -> dg.Failure:
        failed = [reading.task.resource.name for reading in readings]
        return ExpectedError(
            f"{len(failed)} of {total} resources of {self.connection.name} could not be read or loaded: "
            f"{', '.join(failed)}. {readings[0].report.reason}.",
            metadata={reading.task.resource.name: reading.report.reason for reading in readings},
            allow_retries=False,
        )
