"""Plan: what a sync would ask for, and how long that takes at the vendor's rate. No request is sent.

Numbers of requests are those of earlier reads, as recorded in the read log. What was never read needs at least one
request per list.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.http.rate_state import spread
from crm_assets.extract.read_report import ReadTask
from crm_assets.orchestration.partitions import partitions_of, ranges_of
from crm_assets.warehouse.planning import due_range, plan_reads
from crm_assets.warehouse.read_history import History, history_of
from crm_assets.warehouse.session import WarehouseSession
from crm_assets.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Line:
    """What a sync would ask one resource for."""

    resource: str
    mode: str
    """``full_refresh``, ``incremental`` or ``window``."""
    asks: str
    """What is asked for, in words."""
    requests: int
    known: bool
    """Whether an earlier read recorded the number of requests; otherwise it is the least there can be."""


@dataclass(frozen=True)
class Plan:
    """What a sync would ask a connection for."""

    connection: str
    lines: tuple[Line, ...]
    limit: RateLimit | None

    @property
    def requests(self) -> int:
        """Number of requests of all lines."""
        return sum(line.requests for line in self.lines)

    @property
    def known(self) -> bool:
        """Whether the number is known of all lines."""
        return all(line.known for line in self.lines)

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
) -> list[Plan]:
    """Return what a sync would ask for.

    Args:
        wanted: Connections, each with the names of the resources to read.
        warehouse: Tells what was loaded, and what that took.
        days: The days windows would be read for; what is due when left out.
        full: Whether incremental resources would be read in full.
        today: The current day; the connection's own when left out.
    """
    plans = []
    for connection, names in wanted:
        resources = [resource for resource in connection.system.resources if resource.name in names]
        moment = today or datetime.now(connection.zone).date()
        if not warehouse.exists:
            lines = list(_Planner(connection, None, days, full, moment).lines(resources))
        else:
            with warehouse.working_folder() as folder, warehouse.session(connection.name, folder, print) as session:
                lines = list(_Planner(connection, session, days, full, moment).lines(resources))
        plans.append(Plan(connection.name, tuple(lines), connection.budget))
    return plans


def least_seconds(requests: int, limit: RateLimit) -> float:
    """Return how long a number of requests takes when the vendor's figure is used up but never exceeded."""
    rounds, rest = divmod(max(requests - 1, 0), limit.requests)
    return rounds * limit.seconds + rest * spread(limit)


@dataclass(frozen=True)
class _Planner:
    connection: Connection
    session: WarehouseSession | None
    days: DateRange | None
    full: bool
    today: date

    def lines(self, resources: list[Resource]) -> Iterator[Line]:
        """Yield a line per resource, and one for each parent that would be read for its keys alone."""
        for _, group in groupby(sorted(resources, key=_kind), key=_kind):
            step = list(group)
            span = self._span(step)
            spans = {resource.name: self._spans(resource, span) for resource in step if span}
            tasks = plan_reads(self.session, self.connection, step, spans, full=self.full)
            for task in sorted(tasks, key=lambda one: not one.load):
                yield self._line(task, "" if task.load else f", for the keys of {_children(task.resource, tasks)}")

    def _span(self, step: list[Resource]) -> DateRange | None:
        """Return the days a step is run for: of all its resources as one span."""
        windowed = [resource for resource in step if resource.window]
        if self.days or not windowed:
            return self.days
        due = [due_range(self.session, self.connection, resource, self.today) for resource in windowed]
        return DateRange(min(span.start for span in due), max(span.end for span in due))

    def _line(self, task: ReadTask, purpose: str) -> Line:
        resource = task.resource
        if task.mode == "window":
            return self._windowed(resource, task.spans)
        if resource.window and task.load:
            return Line(resource.name, "window", f"no partition lies in {self.days}", 0, True)
        history = self._history(resource, task.mode)
        asks = f"{self._asks(task)}{purpose}{f' ({task.why})' if task.why else ''}"
        return Line(resource.name, task.mode, asks, history.requests or self._parents_of(resource), bool(history.reads))

    def _asks(self, task: ReadTask) -> str:
        parent = task.resource.parent
        changed = f" of changed {parent.resource}" if parent and task.some_parents else ""
        if task.since is None:
            return f"the lists{changed}" if changed else "the whole list"
        return f"changes since {task.since.astimezone(self.connection.zone):%Y-%m-%d %H:%M}{changed}"

    def _windowed(self, resource: Resource, spans: tuple[DateRange, ...]) -> Line:
        days = sum(one.days for one in spans)
        lists = self._parents_of(resource) * (len(spans) + bool(resource.window and resource.window.include_undated))
        history = self._history(resource, "window")
        asks = f"{DateRange(spans[0].start, spans[-1].end)}, {days} day{'' if days == 1 else 's'}"
        return Line(resource.name, "window", asks, max(lists, math.ceil(history.per_day * days)), bool(history.reads))

    def _spans(self, resource: Resource, span: DateRange) -> tuple[DateRange, ...]:
        window = resource.window
        if window is None:
            return ()
        partitions = partitions_of(self.connection, window)
        now = datetime.combine(self.today, datetime.max.time(), self.connection.zone)
        keys = [
            key
            for key in partitions.get_partition_keys(current_time=now)
            for one in ranges_of(partitions, [key], window, self.connection)
            if one.start < span.end and span.start < one.end
        ]
        return ranges_of(partitions, keys, window, self.connection)

    def _history(self, resource: Resource, mode: str) -> History:
        return history_of(self.session, resource.name, mode) if self.session else History()

    def _parents_of(self, resource: Resource) -> int:
        """Return the least number of lists a resource has: one, or one per parent of the last read."""
        if resource.parent is None:
            return 1
        history = self._history(resource, resource.mode)
        return history.parents or 1


def _kind(resource: Resource) -> str:
    """Return what resources must share to be read in one step: how they are partitioned."""
    return f"{resource.window.grain}{resource.window.days_ahead}" if resource.window else ""


def _children(parent: Resource, tasks: Iterable[ReadTask]) -> str:
    children = (task.resource for task in tasks if task.resource.parent)
    return ", ".join(child.name for child in children if child.parent and child.parent.resource == parent.name)


def render(plans: Iterable[Plan]) -> RenderableType:
    """Return a table per connection, and its totals."""
    parts: list[RenderableType] = []
    for one in plans:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading in ("resource", "mode", "asks for"):
            table.add_column(heading)
        table.add_column("requests", justify="right", no_wrap=True)
        for line in one.lines:
            table.add_row(line.resource, line.mode, Text(line.asks), _count(line.requests, line.known))
        parts += [Text(one.connection, "bold"), table, Text(_total(one)), Text()]
    return Group(*parts[:-1])


def _count(requests: int, known: bool) -> str:
    return f"{requests:,}" if known else f"at least {requests:,}"


def _total(plan: Plan) -> str:
    count = f"{_count(plan.requests, plan.known)} request{'' if plan.requests == 1 else 's'}"
    unread = "" if plan.known else "; how many more, and how long they take, shows at the first read"
    if plan.limit is None or plan.seconds is None:
        return f"{count}; no rate limit is known{unread}"
    rate = f"at {plan.limit.requests} a {plan.limit.per}"
    if plan.known:
        return f"{count}; {_duration(plan.seconds)} {rate}"
    # A handful of requests that are all anybody knows of says nothing about the time.
    least = f"at least {_duration(plan.seconds)} {rate}" if plan.seconds >= 1 else rate
    return f"{count}; {least}{unread}"


def _duration(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else "less than a second"
