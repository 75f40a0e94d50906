"""Storms on the wire: whatever goes wrong, a read is right or red, never green and short."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.paginator import Offset, PageNumber
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.fetch import ReadResult, fetch
from crm_assets.extract.http import transport
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.read_report import ReadTask
from crm_assets.extract.secrets import secrets_of
from crm_assets.sandbox.paging import DEFAULT_SIZE
from crm_assets_tests.conftest import Build, HouseWith, only
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.installation import START, Installation, Row, all_connections, dates, tidy
from crm_assets_tests.reliability import kinds, times
from crm_assets_tests.reliability.test_crash import rows_of, whole

NAMES = kinds(connection.name for connection in all_connections())
SEEDS = range(times(1, 60))
LAST = START + timedelta(days=4)
"""Windows are read for five days."""
SLOW = 0.6
"""Seconds without a byte after which an answer is given up, instead of a minute."""
PATIENT = 2.5
"""The same where every answer that is not held back must arrive, also on a busy machine."""

UNSEEN = ("deleted", "empty_page")
"""Faults that may hide rows from everybody, unless the API tells how many there are.

Where a row is deleted, another one moves to a page that was read already. An empty page in place of the last looks
like the end.
"""


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up slow answers sooner."""
    monkeypatch.setattr(transport, "_HTTP_TIMEOUT", aiohttp.ClientTimeout(sock_read=SLOW))


@pytest.fixture
def spools(tmp_path: Path) -> Path:
    folder = tmp_path / "spools"
    folder.mkdir()
    return folder


def storm(chance: random.Random, connection: str, resource: Resource) -> Iterator[Fault]:
    """Yield what befalls one resource: nothing, one thing, or several."""
    numbered = isinstance(resource.endpoint.paginator, (PageNumber, Offset))
    kinds: list[dict[str, Any]] = [
        *({"kind": "status", "status": status} for status in (429, 500, 502, 503, 504)),
        {"kind": "status", "status": 429, "retry_after": chance.choice([0, 0, 1])},
        {"kind": "status", "status": 429, "retry_after": 0, "retry_after_date": True},
        *({"kind": kind} for kind in ("reset", "truncated", "html", "page_ignored", "duplicates")),
        *({"kind": kind} for kind in ("scalar", "list_absent")),
        {"kind": "delay", "seconds": 0.05},
        {"kind": "hang", "seconds": 2 * SLOW},
        {"kind": "status", "status": chance.choice([402, 403, 404, 500]), "times": None},
    ]
    if numbered:
        kinds.append({"kind": "empty_page", "page": 2, "times": 1})
        kinds += [{"kind": kind, "page": chance.choice([2, 3]), "times": None} for kind in ("inserted", "deleted")]
    for chosen in chance.choices(kinds, k=chance.choice([0, 1, 1, 2, 3])):
        given = {"page": chance.choice([None, 1, 2, 3]), "times": chance.choice([1, 1, 2, 3, 4]), **chosen}
        yield Fault(connection=connection, resource=resource.name, **given)


def ranges(resource: Resource) -> tuple[DateRange, ...]:
    """Return the five days as a run would ask for them."""
    if resource.window is None:
        return ()
    single = tuple(DateRange(day, day + timedelta(days=1)) for day in dates(START, LAST))
    return single if resource.window.per_partition else (DateRange(START, LAST + timedelta(days=1)),)


def read(house: Installation, name: str, folder: Path, *resources: str) -> dict[str, ReadResult]:
    """Fetch resources of a connection, all when none is named; windows of five days."""
    connection = house.connections[name]
    chosen = [one for one in connection.system.resources if not resources or one.name in resources]
    tasks = [ReadTask(resource, date_ranges=ranges(resource)) for resource in chosen]
    budget = RateLimiter(folder / "budget", None)
    return {
        reading.task.resource.name: reading
        for reading in fetch(connection, tasks, secrets_of(connection), folder, budget)
    }


def rows(reading: ReadResult) -> list[Row]:
    """Return the rows that would be loaded."""
    assert reading.staged is not None
    return tidy(reading.task.resource, (row for table in reading.staged.tables() for row in table.to_pylist()))


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_every_read_is_right_or_red(name: str, seed: int, sandbox: FaultySandbox, house: Build, spools: Path) -> None:
    chance = random.Random(f"{name} {seed}")
    mine = house(name)
    faults = {resource: [*storm(chance, name, declared)] for resource, declared in mine.resources(name).items()}
    sandbox.faults.push(*(fault for several in faults.values() for fault in several))
    for resource, reading in read(mine, name, spools).items():
        told = f"{resource} in {[(f.kind, f.page, f.times, f.status) for f in faults[resource]]}"
        if not reading.report.complete:
            assert reading.staged is None
            assert reading.report.reason.startswith(f"{name}.{resource}: ")
            assert "\n" not in reading.report.reason
            assert " object at 0x" not in reading.report.reason
            continue
        met = {fault.kind for fault in faults[resource] if fault.met}
        size = getattr(reading.task.resource.endpoint.paginator, "limit", None) or DEFAULT_SIZE
        unseen = reading.report.lists * ("deleted" in met) + size * ("empty_page" in met)
        unseen += size * ({"deleted", "page_ignored"} <= met)  # the first page again, moved by a row: it looks new
        missing = compared(mine, name, reading)
        assert len(missing) <= unseen, f"{told}: {len(missing)} are missing"


def compared(house: Installation, name: str, reading: ReadResult) -> list[Row]:
    """Return the rows that are missing; what is there must be true, though a margin around a window may be wider."""
    resource, found = reading.task.resource, rows(reading)
    expected = house.truth(name, resource.name, START, LAST)
    beyond = [row for row in found if row not in expected]
    if beyond:
        assert resource.window
        assert resource.window.padding_days or resource.window.format == "date"
        all_rows = house.truth(name, resource.name, START - timedelta(days=400), LAST + timedelta(days=400))
        assert all(row in all_rows for row in beyond)
    return [row for row in expected if row not in found]


@pytest.mark.parametrize("name", NAMES)
def test_what_passes_within_the_retries_is_green(
    name: str, sandbox: FaultySandbox, house: Build, spools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_HTTP_TIMEOUT", aiohttp.ClientTimeout(sock_read=PATIENT))
    mine = house(name)
    chance = random.Random(name)
    for resource, declared in mine.resources(name).items():
        handler = declared.endpoint.error_handler
        # Every refusal for haste teaches a slower pace, which is right and would take minutes here: one for each read.
        hasty = sum(fault.status == 429 for fault in sandbox.faults)
        kinds: list[dict[str, Any]] = [
            {"kind": "status", "status": status, "retry_after": 0 if status == 429 else None}
            for status in handler.retry_on_status_codes
            if status != 429 or not hasty
        ]
        kinds.append({"kind": "reset"})
        kinds = [{**kind, "times": chance.randint(1, handler.max_retries)} for kind in kinds]
        kinds += [{"kind": "hang", "seconds": 2 * PATIENT, "times": 1}]
        page = chance.choice([1, 1, 2])
        sandbox.faults.push(Fault(connection=name, resource=resource, page=page, **chance.choice(kinds)))
    for resource, reading in read(mine, name, spools).items():
        assert reading.report.complete, reading.report.reason
        assert compared(mine, name, reading) == [], resource
    assert sum(fault.met for fault in sandbox.faults) > 0


@pytest.mark.parametrize("seed", range(times(1, 20)))
@pytest.mark.parametrize("name", NAMES)
def test_it_is_tried_as_often_as_declared(
    name: str, seed: int, sandbox: FaultySandbox, house: Build, spools: Path
) -> None:
    mine, chance = house(name), random.Random(f"{name} {seed}")
    without_parent = {one: declared for one, declared in mine.resources(name).items() if not declared.parent}
    statuses = {
        resource: chance.choice([429, 429, 500, 502, 503, 504, 402, 403, 404, 501]) for resource in without_parent
    }
    sandbox.faults.push(*(Fault("status", name, resource, status=status) for resource, status in statuses.items()))
    readings = read(mine, name, spools)
    for resource, declared in without_parent.items():
        handler, status = declared.endpoint.error_handler, statuses[resource]
        tries = 1 + (handler.max_retries if status in handler.retry_on_status_codes else 0)
        asked = Counter(f"{entry.query} {entry.body}" for entry in sandbox.requests.of(name, resource))
        assert max(asked.values()) == tries, f"{resource} answered {status}"
        assert len(asked) <= 1 + bool(declared.window and declared.window.include_undated)
        assert not readings[resource].report.complete
        assert str(status) in readings[resource].report.reason
    for resource, declared in mine.resources(name).items():
        if declared.parent:
            assert not sandbox.requests.of(name, resource)
            assert "its parent could not be read" in readings[resource].report.reason


@pytest.mark.parametrize("name", NAMES[:5])
def test_the_rules_are_the_seeds(name: str, house: Build) -> None:
    told = ((429,), 2) if name == "visitor_analytics" else ((429, 500, 502, 503, 504), 3)
    for declared in house(name).resources(name).values():
        handler = declared.endpoint.error_handler
        assert (handler.retry_on_status_codes, handler.max_retries) == told


@pytest.mark.parametrize("name", ["sales_crm", "visitor_analytics"])
@pytest.mark.parametrize("seed", range(times(1, 20)))
def test_tables_are_old_or_new_after_a_storm(
    name: str,
    seed: int,
    sandbox: FaultySandbox,
    house_with: HouseWith,
    connections: dict[str, Connection],
    tmp_path: Path,
) -> None:
    windowless = {one.name: one for one in connections[name].system.resources if not one.window}
    connection = only(connections[name], *windowless)
    mine, calm = house_with(connection), house_with(connection, tmp_path / "calm")
    before = rows_of(mine, name)
    sandbox.state = 1
    assert all(result.success for result in calm.load(name))
    after = rows_of(calm, name)
    chance = random.Random(f"{name} {seed}")
    failing = chance.choice([*windowless])
    for declared in windowless.values():
        sandbox.faults.push(*(fault for fault in storm(chance, name, declared) if fault.kind not in UNSEEN))
    sandbox.faults.push(Fault("status", name, failing, status=chance.choice([402, 403, 404, 500])))
    (result,) = mine.load(name)
    green = {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}
    assert failing not in green
    for resource, found in rows_of(mine, name).items():
        if resource in green:
            assert whole(after[resource], after[resource], found)
        else:
            assert found == before[resource]
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failing in failure.user_failure_data.description


def test_a_row_that_hid_while_paging_comes_back_with_the_next_read(
    sandbox: FaultySandbox, house_with: HouseWith, connections: dict[str, Connection]
) -> None:
    mine = house_with(only(connections["sales_crm"], "accounts"))
    sandbox.faults.push(Fault("deleted", "sales_crm", "accounts", page=3))
    mine.load("sales_crm")
    hidden = mine.query("SELECT id FROM sales_crm.accounts WHERE _deleted_at IS NOT NULL")
    assert len(hidden) <= 1
    assert mine.table("sales_crm", "accounts") == mine.truth("sales_crm", "accounts"), "it is marked, not lost"
    sandbox.faults.clear()
    assert all(result.success for result in mine.load("sales_crm"))
    assert mine.query("SELECT id FROM sales_crm.accounts WHERE _deleted_at IS NOT NULL") == []
    assert mine.table("sales_crm", "accounts") == mine.truth("sales_crm", "accounts")
