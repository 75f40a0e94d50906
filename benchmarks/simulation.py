"""Scale on paper: 1,000 connections and 10 million changed rows a day, against the vendors' limits.

    python benchmarks/simulation_report.py           prints the tables
    python benchmarks/simulation_report.py --write   writes them, and the figure, into docs/

Nothing is measured here. What one run and one row cost comes from ``benchmarks/results``; limits, page sizes, modes and
parents come from the packaged vendor profiles; everything else is an assumption and has a name below.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections import Counter, deque
from dataclasses import dataclass
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from crm_assets.declarations.loader import SYSTEMS, load_system
from crm_assets.declarations.models.paginator import SinglePage
from crm_assets.declarations.models.resource import Resource
from crm_assets.declarations.models.system import System

HERE = Path(__file__).parent

CONNECTIONS, CHANGED, YEARS, NEW = 1000, 10_000_000, 5, 0.2
"""Accounts, rows that change in a day over all of them, age of the accounts, and how many of those rows are new."""
SIZES = ((0.1, 0.6), (0.3, 0.3), (0.6, 0.1))
"""Share of all accounts and of all rows: large, medium and small ones."""
ROWS_A_PAGE, FEW = 100, 5
"""Records of a page where the declaration leaves that to the server; parents where their list has no pages."""
_PLACES = [tenth / 10 + 0.05 for tenth in range(10)]
"""Middles of the tenths of all accounts, the largest first."""
LATENCY, IN_FLIGHT = 0.25, 8
"""Seconds a vendor takes for an answer, and requests a connection has under way; what limits those without a figure."""
CORES, MEMORY_GB, STARTS = 4, 16, 6
"""Of a machine; hours from midnight over which schedules are spread, as the default ones are."""
CORE_HOUR, GB_MONTH = 0.04, 0.10
"""Dollars; list prices differ by vendor and region, so put in your own."""
STEP, DAY = 10, 24 * 60
"""Minutes."""


@cache
def results(name: str) -> dict[str, float]:
    """Return the medians of this project's runs in a stored benchmark."""
    runs = json.loads((HERE / "results" / f"{name}.json").read_text())["runs"]["crm_assets"]
    return {key: statistics.median(run[key] for run in runs) for key in ("cpu", "peak_mb", "sent_bytes")}


RUN_CPU = results("resync_none")["cpu"]
"""Seconds of a run that finds nothing new (``resync_none``)."""
ROW_CPU = (results("rows_1m")["cpu"] - RUN_CPU) / 1_000_000
"""Seconds a row takes from the wire to the checked table (``rows_1m``)."""
RUN_MB = results("rows_1m")["peak_mb"]
"""Peak memory of a run; it does not grow with rows (``rows_1m``)."""
ROW_WIRE = results("rows_1m")["sent_bytes"] / 1_000_000
"""Bytes of a record as JSON (``rows_1m``)."""
ROW_BYTES = {"duckdb": 66, "postgres": 327}
"""Bytes of a row in its table, indexes included, of 13 narrow columns (``growth.py``, 10 million rows)."""


@dataclass(frozen=True)
class Plan:
    """How the accounts are read.

    Args:
        title: For the table.
        full_every: Days between two reads of a list that cannot be asked for changes.
        changed_parents: Whether only lists of parents that changed are read (``only_changed``).
        addresses: Public addresses that requests leave from, for vendors that count by address.
        machines: Machines that run.
    """

    title: str
    full_every: int = 1
    changed_parents: bool = False
    addresses: int = 1
    machines: int = 4


PLANS = (
    Plan("as declared, one address, 4 machines"),
    Plan("the same, 20 machines", machines=20),
    Plan("lists without a change filter once a week", full_every=7, machines=20),
    Plan("and lists of changed parents alone", full_every=7, changed_parents=True, machines=20),
    Plan("all of that, 6 addresses, 8 machines", full_every=7, changed_parents=True, addresses=6, machines=8),
)


@dataclass(frozen=True)
class Work:
    """What is asked of one account."""

    requests: float
    rows: float


@dataclass(eq=False)
class Account:
    """One connection in the simulated day."""

    vendor: str
    rate: float
    """Requests a minute: the vendor's figure, or what latency allows."""
    address: int | None
    """Of the vendors that count by address, the one it is read from."""
    start: int
    """Minute of the day."""
    work: Work
    left: float = 0.0
    done: float | None = None


@cache
def vendors() -> dict[str, System]:
    """Return the packaged vendor profiles."""
    return {path.stem: load_system(path.stem) for path in sorted((SYSTEMS / "vendors").glob("*.yaml"))}


def daily(system: System, changed: float, plan: Plan) -> Work:
    """Return what a day asks of an account with so many changed rows."""
    parts = [_day_of(system, resource, changed, plan) for resource in system.resources]
    return Work(sum(part.requests for part in parts), sum(part.rows for part in parts))


def first_sync(system: System, changed: float) -> Work:
    """Return what the first read of everything asks: each list whole, in pages."""
    table = changed * NEW * 365 * YEARS / len(_long(system))
    works = [_pages(system, resource, table, _parents(system, resource, table)) for resource in system.resources]
    return Work(sum(work.requests for work in works), sum(work.rows for work in works))


def _long(system: System) -> list[Resource]:
    """Return the lists that grow; the others fit on one page."""
    return [one for one in system.resources if not isinstance(one.endpoint.paginator, SinglePage)]


def _day_of(system: System, resource: Resource, changed: float, plan: Plan) -> Work:
    part = changed / len(_long(system))
    table = part * NEW * 365 * YEARS
    whole = _pages(system, resource, table, _parents(system, resource, table))
    if resource.window or resource.incremental:
        today = _pages(system, resource, part, _parents(system, resource, table))
        again = 1 / resource.incremental.full_refresh_every.days if resource.incremental else 0
        return Work(today.requests + again * whole.requests, today.rows + again * whole.rows)
    if resource.parent and plan.changed_parents:
        return _pages(system, resource, part, _parents(system, resource, part))
    return Work(whole.requests / plan.full_every, whole.rows / plan.full_every)


def _pages(system: System, resource: Resource, rows: float, parents: float) -> Work:
    """Return the pages of so many rows, at least one for each parent; lists that do not grow are one page each."""
    if resource not in _long(system):
        return Work(max(parents, 1), parents)
    size = getattr(resource.endpoint.paginator, "limit", None) or ROWS_A_PAGE
    return Work(max(math.ceil(rows / size), parents, 1), rows)


def _parents(system: System, resource: Resource, rows: float) -> float:
    """Return how many lists a resource has, one a parent: as many as the parent's table has rows, or few."""
    if resource.parent is None:
        return 0
    above = system.resource(resource.parent.resource).endpoint.paginator
    return rows if getattr(above, "limit", None) else FEW


def rate_of(system: System) -> float:
    """Return the requests a minute that one account may make."""
    latency_bound = IN_FLIGHT / LATENCY * 60
    limit = system.rate_limit
    return min(latency_bound, limit.requests / limit.seconds * 60) if limit else latency_bound


def is_by_address(system: System) -> bool:
    """Whether the vendor counts requests by IP address, as a note of its profile says."""
    return any("by IP address" in note for note in system.notes)


def accounts(plan: Plan) -> list[Account]:
    """Return all accounts: vendors take turns, sizes are spread evenly over each, starts over the first hours."""
    profiles, found = list(vendors().items()), []
    works = {(name, size): daily(system, changed_rows(size), plan) for name, system in profiles for size in _PLACES}
    for number in range(CONNECTIONS):
        name, system = profiles[number % len(profiles)]
        place = number // len(profiles)
        size = _PLACES[place * 7 % 10]
        address = (place + place // 10) % plan.addresses if is_by_address(system) else None
        start = number * STARTS * 60 // CONNECTIONS
        found.append(Account(name, rate_of(system), address, start, works[name, size]))
    return found


def changed_rows(position: float) -> float:
    """Return the rows that change in a day in the account at a position between 0 and 1, the largest first."""
    reached = 0.0
    for share, rows in SIZES:
        reached += share
        if position < reached:
            return CHANGED * rows / (CONNECTIONS * share)
    raise ValueError(f"{position} is not below 1")


@dataclass
class Day:
    """A simulated day."""

    plan: Plan
    accounts: list[Account]
    running: list[int]
    """Runs under way, step by step."""
    waiting: list[int]
    """Accounts that are due and have no place to run."""
    cpu_hours: float

    @property
    def unfinished(self) -> int:
        """How many accounts the day was too short for."""
        return sum(one.done is None for one in self.accounts)


def simulate(plan: Plan) -> Day:
    """Let a day pass in steps of ten minutes: places to run, vendors' limits, addresses and cores are what is short."""
    everyone = accounts(plan)
    for one in everyone:
        one.left = one.work.requests
    places, day = int(plan.machines * MEMORY_GB * 1000 / RUN_MB), Day(plan, everyone, [], [], 0.0)
    queue, active = deque(everyone), list[Account]()
    for minute in range(0, DAY, STEP):
        while queue and queue[0].start <= minute and len(active) < places:
            active.append(queue.popleft())
        day.running.append(len(active))
        day.waiting.append(sum(one.start <= minute for one in queue))
        day.cpu_hours += _step(active, plan)
        for one in active:
            one.done = minute + STEP if one.left <= 0 else None
        active = [one for one in active if one.left > 0]
    return day


def _step(active: list[Account], plan: Plan) -> float:
    """Let the active accounts make the requests of one step; return the hours of a core that took."""
    sharing = Counter((one.vendor, one.address) for one in active)
    asked = [one.rate / (1 if one.address is None else sharing[one.vendor, one.address]) * STEP for one in active]
    asked = [min(number, one.left) for number, one in zip(asked, active, strict=True)]
    cost = sum(_cpu(one, number) for one, number in zip(active, asked, strict=True))
    slower = min(1.0, plan.machines * CORES * STEP * 60 / max(cost, 1e-9))
    for one, number in zip(active, asked, strict=True):
        one.left = one.left - number * slower if number * slower < one.left - 1e-6 else 0.0
    return cost * slower / 3600


def _cpu(one: Account, requests: float) -> float:
    """Return the seconds of a core that a part of an account's requests takes."""
    return requests / max(one.work.requests, 1) * (RUN_CPU + one.work.rows * ROW_CPU)
