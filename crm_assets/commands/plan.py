"""Plan: what a sync would request, and how long that takes at the vendor's rate.

Numbers of requests are those of earlier reads, as recorded in the read log. What was never read needs at least one
request per list; how many more is known where the API was asked for the size of the list.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from statistics import median
from typing import Literal, TypeAlias

from crm_assets.commands.list_sizes import ListSize
from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.http.rate_state import spread
from crm_assets.extract.read_report import ReadTask
from crm_assets.orchestration.partitions import partitions_of, ranges_of
from crm_assets.warehouse.loaded_days import due_range
from crm_assets.warehouse.planning import plan_reads
from crm_assets.warehouse.read_history import ReadHistory, history_of
from crm_assets.warehouse.session import WarehouseSession
from crm_assets.warehouse.warehouse import Warehouse

Basis: TypeAlias = Literal["earlier reads", "first page", "least"]
"""Where a number of requests comes from: the read log, what a first page reported, or the least there can be."""
Sizes: TypeAlias = Mapping[str, ListSize]
"""What first pages reported, by resource; empty where no list was asked."""


@dataclass(frozen=True)
class Line:
    """What a sync would ask one resource for."""

    resource: str
    mode: str
    """``full_refresh``, ``incremental`` or ``window``."""
    asks: str
    """What is asked for, in words."""
    requests: int
    basis: Basis


@dataclass(frozen=True)
class Plan:
    """What a sync would ask a connection for."""

    connection: str
    lines: tuple[Line, ...]
    limit: RateLimit | None
    pace: float | None = None
    """Seconds a first page took, where lists were asked for their size."""

    @property
    def requests(self) -> int:
        """Number of requests of all lines."""
        return sum(line.requests for line in self.lines)

    @property
    def basis(self) -> Basis:
        """The weakest basis of a line."""
        bases = {line.basis for line in self.lines}
        return "least" if "least" in bases else "first page" if "first page" in bases else "earlier reads"

    @property
    def seconds(self) -> float | None:
        """Least time the requests take at the vendor's rate, or ``None`` where no rate is known."""
        return None if self.limit is None else least_seconds(self.requests, self.limit)


def plan(
    wanted: Iterable[tuple[Connection, Collection[str]]],
    warehouse: Warehouse,
    *,
    days: DateRange | None = None,
    full: bool = False,
    today: date | None = None,
    ask: Callable[[Connection, list[Resource]], Sizes] | None = None,
) -> list[Plan]:
    """Return what a sync would ask for. Nothing is requested but by ``ask``.

    Args:
        wanted: Connections, each with the names of the resources to read.
        warehouse: Tells what was loaded, and what that took.
        days: The days windows would be read for; what is due when left out.
        full: Whether incremental resources would be read in full.
        today: The current day; the connection's own when left out.
        ask: Returns the sizes of lists of a connection; called for those without an earlier read.
    """
    plans = []
    for connection, names in wanted:
        resources = [resource for resource in connection.system.resources if resource.name in names]
        moment = today or datetime.now(connection.zone).date()
        sizes: Sizes = {}
        if ask:
            with _open_warehouse(connection, warehouse) as session:
                unread = _PlanWriter(connection, session, days, full, moment).unread(resources)
            sizes = ask(connection, unread) if unread else {}
        with _open_warehouse(connection, warehouse) as session:
            lines = tuple(_PlanWriter(connection, session, days, full, moment, sizes).lines(resources))
        plans.append(Plan(connection.name, lines, connection.budget, _pace(sizes)))
    return plans


@contextmanager
def _open_warehouse(connection: Connection, warehouse: Warehouse) -> Iterator[WarehouseSession | None]:
    """Open the warehouse for reading, if there is one."""
    if not warehouse.exists:
        yield None
        return
    with warehouse.working_folder() as folder, warehouse.session(connection.name, folder, print) as session:
        yield session


def _pace(sizes: Sizes) -> float | None:
    seconds = [size.seconds for size in sizes.values() if not size.problem]
    return median(seconds) if seconds else None


def least_seconds(requests: int, limit: RateLimit) -> float:
    """Return how long a number of requests takes when the vendor's figure is used up but never exceeded."""
    rounds, rest = divmod(max(requests - 1, 0), limit.requests)
    return rounds * limit.seconds + rest * spread(limit)


@dataclass(frozen=True)
class _PlanWriter:
    connection: Connection
    session: WarehouseSession | None
    days: DateRange | None
    full: bool
    today: date
    sizes: Sizes = field(default_factory=dict)

    def unread(self, resources: list[Resource]) -> list[Resource]:
        """Return the resources that no earlier read recorded the cost of, with the parents they are read for."""
        parents = [self.connection.system.resource(child.parent.resource) for child in resources if child.parent]
        distinct = {resource.name: resource for resource in (*parents, *resources)}
        return [resource for resource in distinct.values() if not self._history(resource, resource.mode).reads]

    def lines(self, resources: list[Resource]) -> Iterator[Line]:
        """Yield a line per resource, and one for each parent that would be read for its keys alone."""
        for _, group in groupby(sorted(resources, key=_step_key), key=_step_key):
            step = list(group)
            dates = self._step_dates(step)
            ranges = {resource.name: self._overlapping(resource, dates) for resource in step if dates}
            tasks = plan_reads(self.session, self.connection, step, ranges, full=self.full)
            for task in sorted(tasks, key=lambda planned: not planned.load):
                yield self._line(task, "" if task.load else f", for the keys of {_children(task.resource, tasks)}")

    def _step_dates(self, step: list[Resource]) -> DateRange | None:
        """Return the days a step is run for: of all its resources as one range."""
        windowed = [resource for resource in step if resource.window]
        if self.days or not windowed:
            return self.days
        due = [due_range(self.session, self.connection, resource, self.today) for resource in windowed]
        return DateRange(min(dates.start for dates in due), max(dates.end for dates in due))

    def _line(self, task: ReadTask, purpose: str) -> Line:
        resource = task.resource
        if task.mode == "window":
            return self._windowed(resource, task.date_ranges)
        if resource.window and task.load:
            none = f"partition lies in {self.days}" if self.days else f"day is due before {self.connection.start_date}"
            return Line(resource.name, "window", f"no {none}", 0, "earlier reads")
        history = self._history(resource, task.mode)
        asks = f"{self._asks(task)}{purpose}{f' ({task.why})' if task.why else ''}"
        if history.reads:
            return Line(resource.name, task.mode, asks, history.requests, "earlier reads")
        size = self.sizes.get(resource.name, ListSize())
        if size.problem:
            asks = f"{asks}; its size is unknown: {size.problem}"
        if size.pages:
            return Line(resource.name, task.mode, asks, size.pages, "first page")
        return Line(resource.name, task.mode, asks, self._parents_of(resource), "least")

    def _asks(self, task: ReadTask) -> str:
        parent = task.resource.parent
        changed = f" of changed {parent.resource}" if parent and task.some_parents else ""
        if task.since is None:
            return f"the lists{changed}" if changed else "the whole list"
        return f"changes since {task.since.astimezone(self.connection.zone):%Y-%m-%d %H:%M}{changed}"

    def _windowed(self, resource: Resource, ranges: tuple[DateRange, ...]) -> Line:
        days = sum(dates.days for dates in ranges)
        lists = self._parents_of(resource) * (len(ranges) + bool(resource.window and resource.window.include_undated))
        history = self._history(resource, "window")
        asks = f"{DateRange(ranges[0].start, ranges[-1].end)}, {days} day{'' if days == 1 else 's'}"
        requests = max(lists, math.ceil(history.per_day * days))
        return Line(resource.name, "window", asks, requests, "earlier reads" if history.reads else "least")

    def _overlapping(self, resource: Resource, dates: DateRange) -> tuple[DateRange, ...]:
        window = resource.window
        if window is None:
            return ()
        partitions = partitions_of(self.connection, window)
        now = datetime.combine(self.today, datetime.max.time(), self.connection.zone)
        keys = [
            key
            for key in partitions.get_partition_keys(current_time=now)
            for partition in ranges_of(partitions, [key], window, self.connection)
            if partition.start < dates.end and dates.start < partition.end
        ]
        return ranges_of(partitions, keys, window, self.connection)

    def _history(self, resource: Resource, mode: str) -> ReadHistory:
        return history_of(self.session, resource.name, mode) if self.session else ReadHistory()

    def _parents_of(self, resource: Resource) -> int:
        """Return the least number of lists a resource has: one, or one per parent of the last read or reported."""
        if resource.parent is None:
            return 1
        parent = self.sizes.get(resource.parent.resource, ListSize())
        return self._history(resource, resource.mode).parents or parent.records or 1


def _step_key(resource: Resource) -> str:
    """Return what resources must share to be read in one step: how they are partitioned."""
    return f"{resource.window.grain}{resource.window.days_ahead}" if resource.window else ""


def _children(parent: Resource, tasks: Iterable[ReadTask]) -> str:
    children = (task.resource for task in tasks if task.resource.parent)
    return ", ".join(child.name for child in children if child.parent and child.parent.resource == parent.name)
