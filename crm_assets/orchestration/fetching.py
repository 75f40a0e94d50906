"""The first half of a step: plan what is read of each resource, and fetch it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract import progress
from crm_assets.extract.errors import ReadError
from crm_assets.extract.read_report import ReadTask
from crm_assets.extract.shared_state import SharedState
from crm_assets.orchestration.checks.report import counted
from crm_assets.orchestration.keys import FRESH_TAG, FULL_TAG
from crm_assets.orchestration.partitions import ranges_of
from crm_assets.orchestration.resources import CrmSecrets
from crm_assets.orchestration.shared_state.state import shared_state
from crm_assets.warehouse.known_keys import known_keys
from crm_assets.warehouse.planning import plan_reads, unread
from crm_assets.warehouse.read_log import last_loaded
from crm_assets.warehouse.schema_changes import refusal
from crm_assets.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult
    from crm_assets.extract.resume.journals import Journals

_NOTICEABLE = 0.1
"""Seconds of waiting that are worth a word."""


@dataclass(frozen=True)
class Fetcher:
    """Fetches resources of one connection into verified files."""

    context: dg.AssetExecutionContext
    connection: Connection
    partitions: dg.TimeWindowPartitionsDefinition | None
    warehouse: Warehouse
    secrets: CrmSecrets
    say: progress.SayFn

    def fetch(self, resources: list[Resource], folder: Path) -> list[ReadResult]:
        """Fetch resources at the same time and log each result.

        Args:
            resources: The selected ones.
            folder: Working folder of the run, for the files.

        Raises:
            ReadError: The connection cannot be used.
        """
        from crm_assets.extract.decode.destination_limits import limits_of
        from crm_assets.extract.fetch import fetch

        problem = self.connection.unusable()
        if problem:
            raise ReadError(problem)
        secrets = self.secrets.of(self.connection)
        tasks, refused = self._tasks(resources, folder)
        for task in tasks:
            self.context.log.info(_announced(task))
        budget, stores = self._state.rate_limiter(self.connection, self.say), self._state.token_stores(self.connection)
        watch = progress.watch_of(self.connection.name, self.context.log.info)
        limits = limits_of(self.warehouse.destination)
        memory = self.warehouse.folder / "paging" / f"{self.connection.name}.json"
        fetched = tasks and fetch(
            self.connection, tasks, secrets, folder, budget, watch, limits, memory, stores, self.journals
        )
        readings = [*(fetched or []), *refused]
        for reading in readings:
            self._log(reading)
        return readings

    @cached_property
    def journals(self) -> Journals:
        """What interrupted runs read, and where this one keeps what it reads."""
        from crm_assets.extract.resume.journals import Journals

        warehouse, fresh = self.warehouse, self.context.run.tags.get(FRESH_TAG) == "true"
        return Journals(
            self._state.journals(), warehouse.resume_hours, fresh, warehouse.destination, log=self.context.log.info
        )

    @cached_property
    def _state(self) -> SharedState:
        return shared_state(self.context.instance, self.warehouse.folder)

    def _tasks(self, resources: list[Resource], folder: Path) -> tuple[list[ReadTask], list[ReadResult]]:
        """Return the planned reads, and the results of those refused because their table cannot take the rows."""
        from crm_assets.extract.fetch import ReadResult

        full = self.context.run.tags.get(FULL_TAG) == "true"
        ranges = {resource.name: self._ranges(resource) for resource in resources}
        if not self.warehouse.exists:
            return plan_reads(None, self.connection, resources, ranges, full=full), []
        with self.warehouse.session(self.connection.name, folder, lambda text: self.say("lock", text)) as session:
            for promise in session.capabilities.lost:
                self.context.log.warning(f"{self.warehouse.destination}: {promise}")
            tasks = plan_reads(session, self.connection, resources, ranges, full=full)
            tasks = [replace(task, known=known_keys(session, task, folder)) for task in tasks]
            if self.journals.left_by(self.connection):
                self.journals.loaded.update(last_loaded(session, tasks))
            reasons = {resource.name: reason for resource in resources if (reason := refusal(session, resource))}
        refused = [
            ReadResult(task, unread(task, reasons[task.resource.name]), None)
            for task in tasks
            if task.resource.name in reasons
        ]
        accepted = [task.resource for task in tasks if task.resource.name not in reasons]
        parents = {resource.parent.resource for resource in accepted if resource.parent}
        # a refused parent is still read for the keys of its lists
        tasks = [replace(task, load=task.load and task.resource.name not in reasons) for task in tasks]
        return [task for task in tasks if task.load or task.resource.name in parents], refused

    def _ranges(self, resource: Resource) -> tuple[DateRange, ...]:
        if resource.window is None or self.partitions is None:
            return ()
        return ranges_of(self.partitions, list(self.context.partition_keys), resource.window, self.connection)

    def _log(self, reading: ReadResult) -> None:
        name, report = reading.task.resource.name, reading.report
        if report.complete:
            speed = f", {report.rows / report.seconds_fetch:,.0f} rows a second" if report.seconds_fetch else ""
            waited = f", {report.seconds_waited:.1f} s of it waiting" if report.seconds_waited >= _NOTICEABLE else ""
            doubt, end = report.unproven or report.assumed, "; ".join(filter(None, (report.resumed, report.reason)))
            self.context.log.info(
                f"{name}: fetched {counted(report.rows, 'row', 'rows')} from {counted(report.pages, 'page', 'pages')} "
                f"in {report.seconds_fetch:.1f} s{speed}{waited} ({counted(report.requests, 'request', 'requests')}, "
                f"{counted(report.retries, 'retry', 'retries')}). "
                f"{f'Not proven complete: {doubt}' if doubt else f'Verified to its end: {end}'}."
            )
        else:
            self.context.log.error("\n".join(filter(None, (report.reason, reading.bug))))


def _announced(task: ReadTask) -> str:
    """Return what is about to be read, and why."""
    match task.mode:
        case "window":
            what = f"reading {', '.join(map(str, task.date_ranges))}"
        case "incremental" if task.since:
            what = f"reading what changed since {task.since:%Y-%m-%d %H:%M:%S %Z}"
        case "incremental":
            what = "reading the lists of changed parents"
        case _:
            what = "reading the whole list"
    return f"{task.resource.name}: {what}{f' ({task.why})' if task.why else ''}."
