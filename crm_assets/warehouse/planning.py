"""The plan of a run: for each resource a window's days, its changes, or the whole list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.read_report import FoundBefore, ListWindows, ReadReport, ReadTask
from crm_assets.warehouse import read_log
from crm_assets.warehouse.found_before import found_before
from crm_assets.warehouse.increments import starting_point
from crm_assets.warehouse.loaded_days import list_windows
from crm_assets.warehouse.parent_keys import change_times, changed_parents, loaded_parents
from crm_assets.warehouse.session import WarehouseSession


def plan_reads(
    session: WarehouseSession | None,
    connection: Connection,
    wanted: Sequence[Resource],
    date_ranges: Mapping[str, tuple[DateRange, ...]],
    *,
    full: bool = False,
) -> list[ReadTask]:
    """Return the planned reads of the wanted resources, and of the parents whose keys their lists need.

    Args:
        session: The open warehouse, or ``None`` if it does not exist yet.
        connection: The account.
        wanted: Resources to load.
        date_ranges: The windows asked for, by resource.
        full: Whether incremental resources are read in full.
    """
    planner = _Planner(session, connection, date_ranges, full)
    wanted_names = {resource.name for resource in wanted}
    for resource in wanted:
        planner.task(resource)
    return [replace(task, load=name in wanted_names) for name, task in planner.tasks.items()]


@dataclass
class _Planner:
    session: WarehouseSession | None
    connection: Connection
    date_ranges: Mapping[str, tuple[DateRange, ...]]
    full: bool
    tasks: dict[str, ReadTask] = field(default_factory=dict)

    def task(self, resource: Resource) -> ReadTask:
        """Return the task of a resource; its parents are planned before it."""
        if resource.name not in self.tasks:
            parent = self.task(self.connection.system.resource(resource.parent.resource)) if resource.parent else None
            found = found_before(self.session, resource) if self.session else FoundBefore()
            task = replace(self._alone(resource), found_before=found)
            self.tasks[resource.name] = self._with_parents(task, parent)
        return self.tasks[resource.name]

    def _alone(self, resource: Resource) -> ReadTask:
        if resource.window:
            known = list_windows(self.session, resource) if self.session else ListWindows()
            return ReadTask(resource, date_ranges=self.date_ranges.get(resource.name, ()), list_windows=known)
        if resource.incremental is None:
            return ReadTask(resource)
        if self.full:
            return ReadTask(resource, why="a full refresh was asked for")
        start = starting_point(self.session, self.connection, resource)
        return ReadTask(resource, since=start.since, starts=start.by_parent, why=start.why)

    def _with_parents(self, task: ReadTask, above: ReadTask | None) -> ReadTask:
        parent = task.resource.parent
        if parent is None or above is None or self.session is None or above.mode != "incremental":
            return task
        if parent.further_fields:
            return task  # the keys alone do not make the requests; the parent is read in full
        last = read_log.last_complete(self.session, task.resource.name)
        due = task.resource.incremental is not None and task.since is None
        if parent.only_changed and last and not due:
            return replace(
                task,
                known_parents=changed_parents(self.session, parent, last),
                unchanged_parents=change_times(self.session, parent, above),
            )
        return replace(task, known_parents=loaded_parents(self.session, parent))


def unread(task: ReadTask, reason: str) -> ReadReport:
    """Return the report of a read that was not begun."""
    now = datetime.now(timezone.utc)
    return ReadReport(
        mode=task.mode, date_ranges=task.date_ranges, since=task.since, reason=reason, started_at=now, finished_at=now
    )
