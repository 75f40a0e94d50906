"""A backfill: one run, a run a day in any order, several processes, any of them killed. The same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
import pytest
import yaml

from crm_assets.declarations import Column
from crm_assets.declarations.connections import load_connections
from crm_assets.declarations.json_path import dig, place
from crm_assets.declarations.loader import available_systems
from crm_assets.declarations.models.base import deep_merge
from crm_assets.sandbox import sandbox_environment
from crm_assets.sandbox.tables import Table
from crm_assets.sandbox.times import on_the_wire, read_instant
from crm_assets_tests.faults import Fault, FaultySandbox, serve
from crm_assets_tests.faults.truth import from_the_wire
from crm_assets_tests.installation import Installation, Row, dates
from crm_assets_tests.reliability import times
from crm_assets_tests.reliability.killed_runs import Command, until
from crm_assets_tests.reliability.test_crash import left_behind

NAME = "every_window"
KINDS = {
    "visitor_analytics": ("accounts", "leads", "visits"),
    "service_crm": ("appointments",),
    "contact_crm": ("tasks",),
}
"""Of one account, as they are declared: aggregates of one day and one parent, plain dates of one parent, moments in a
time zone, and rows without a date."""
WINDOWED = ("leads", "visits", "appointments", "tasks")
ASSETS = tuple(f"{NAME}/{resource}" for resource in WINDOWED)
DAYS = dates(date(2024, 3, times(28, 24)), date(2024, 4, times(2, 22)))
"""Six, thirty in the long variant, with the change to summer time among them."""
_SHARE = len(DAYS) // times(3, 6)
SHARES = [DAYS[number : number + _SHARE] for number in range(0, len(DAYS), _SHARE)]
MOVED, EMPTIED = DAYS[1], DAYS[len(DAYS) // 2]
"""At the source, some rows of the one go to a later day; those of the other go for good."""
PAGED = "visits"
"""Read in small pages, to be caught in the middle."""


# The source


def declared(folder: Path) -> Path:
    """Write a system that has every kind of window, and a connections file with an account at it; return the latter."""
    resources: list[Any] = []
    client: dict[str, Any] = {}
    for system, names in KINDS.items():
        document = yaml.safe_load(available_systems()[system].read_text())
        client = client or document["client"]
        whole = [deep_merge(document["resource_defaults"], resource) for resource in document["resources"]]
        resources += [resource for resource in whole if resource["name"] in names]
    known = {resource["name"] for resource in resources}
    for resource in resources:
        resource.get("window", {}).pop("days_ahead", None)  # a single run takes assets of the same partitions only
        for column in resource["columns"].values():
            if isinstance(column, dict) and column.get("references") not in known:
                column.pop("references", None)
        if resource["name"] == PAGED:
            resource["endpoint"]["paginator"]["limit"] = 4
    (folder / "systems").mkdir()
    (folder / "systems" / f"{NAME}.yaml").write_text(yaml.safe_dump({"client": client, "resources": resources}))
    account = {"name": NAME, "system": NAME, "start_date": DAYS[0], "timezone": "Europe/Berlin"}
    (folder / "connections.yaml").write_text(yaml.safe_dump({"systems": "systems", "connections": [account]}))
    return folder / "connections.yaml"


def change_source(table: Table) -> None:
    """Let the day that leads to state 1 move all rows of one day but the first to a later one, and drop another day."""
    table.records(0)
    rows = table.days[0]
    if window := table.resource.window:
        column = table.resource.columns[window.field]
        path = column.wire_path(window.field)
        own_days = [own_day(dig(json.loads(row.record), path), column, table.zone) for row in rows]
        kept, moved = [], 0
        for row, own in zip(rows, own_days, strict=True):
            moved += own == MOVED
            if own == MOVED and moved > 1:
                record = json.loads(row.record)
                later = from_the_wire(column, dig(record, path)) + timedelta(days=len(DAYS) // 2)
                instant = read_instant(str(later), table.zone)
                place(record, path, on_the_wire(column, instant, table.zone))
                kept.append(row._replace(moment=instant, record=json.dumps(record).encode()))
            elif own != EMPTIED:
                kept.append(row)
        rows = kept
    table.days.append(rows)


def own_day(value: Any, column: Column, zone: ZoneInfo) -> date | None:
    """Return the day of a window that a value belongs to."""
    if value is None:
        return None
    instant = from_the_wire(column, value)
    return instant.astimezone(zone).date() if isinstance(instant, datetime) else instant


class Source:
    """The account at its API, before (state 0) and after (state 1) the change.

    Args:
        sandbox: Serves it.
        url: Where.
        file: The connections file.
    """

    def __init__(self, sandbox: FaultySandbox, url: str, file: Path) -> None:
        self.sandbox, self.url, self.file = sandbox, url, file
        (self.connection,) = sandbox.connections.values()
        for resource in ("accounts", *WINDOWED):
            change_source(sandbox.table(NAME, resource))

    def house(self, folder: Path) -> Installation:
        """Return an installation with its data in that folder."""
        return Installation(self.sandbox, self.url, folder / "data", [self.connection])

    def counts(self, resource: str, days: Sequence[date] = DAYS) -> dict[str, int]:
        """Return how many rows each day has now."""
        return {str(day): len(self.sandbox.rows(NAME, resource, window=(day, day))) for day in days}

    def changed_days(self) -> list[date]:
        """Return the days that are not what they were."""
        return [day for day in DAYS if self._rows(0, day) != self._rows(1, day)]

    def _rows(self, state: int, day: date) -> list[list[Row]]:
        self.sandbox.state = state
        return [self.sandbox.rows(NAME, resource, window=(day, day)) for resource in WINDOWED]


@pytest.fixture(scope="module")
def served_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """The account, its secrets in the environment."""
    file = declared(tmp_path_factory.mktemp("declared"))
    (connection,) = load_connections(file)
    sandbox = FaultySandbox([connection], rows=150, start=DAYS[0], today=DAYS[-1])
    with serve(sandbox) as url, pytest.MonkeyPatch.context() as environment:
        for name, value in sandbox_environment([connection], url).items():
            if name.startswith("SOURCES__"):
                environment.setenv(name, value)
        yield Source(sandbox, url, file)


@pytest.fixture
def source(served_account: Source) -> Iterator[Source]:
    """The account before the change."""
    served_account.sandbox.state = 0
    served_account.sandbox.requests.clear()
    yield served_account
    served_account.sandbox.faults.clear()


# The tables


def exported(house: Installation) -> dict[str, str]:
    """Return a hash of every table: all but what names the read or its time, sorted by key, as Parquet."""
    found = {}
    with duckdb.connect(str(house.warehouse.database), read_only=True, config={"threads": 1}) as warehouse:
        for name, resource in house.resources(NAME).items():
            if name in WINDOWED:
                file = house.folder.parent / f"{name}.parquet"
                key = ", ".join(resource.primary_key)
                rows = f"SELECT * EXCLUDE (_read_id, _first_seen_at, _changed_at) FROM {NAME}.{name} ORDER BY {key}"
                warehouse.execute(f"COPY ({rows}) TO '{file}' (FORMAT parquet)")
                found[name] = sha256(file.read_bytes()).hexdigest()
    return found


@pytest.fixture(scope="module")
def one_run(served_account: Source, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Data folders that one run over all days filled: before the change, and after it."""
    folders = []
    for state in (0, 1):
        served_account.sandbox.state = state
        house = served_account.house(tmp_path_factory.mktemp(f"state{state}"))
        result = house.materialize(*ASSETS, dates=(str(DAYS[0]), str(DAYS[-1])))
        assert result.success
        for resource in WINDOWED:
            assert house.table(NAME, resource) == house.truth(NAME, resource, DAYS[0], DAYS[-1])
            assert told_rows(result.get_asset_materialization_events(), resource) == served_account.counts(resource)
        folders.append(house.folder)
    return folders[0], folders[1]


def told_rows(events: Sequence[Any], resource: str) -> dict[str, int]:
    """Return the rows that each partition's materialization tells of; fails where one has several."""
    found = [
        (event.partition, event.materialization.metadata["dagster/partition_row_count"].value)
        for event in events
        if event.asset_key.path[-1] == resource
    ]
    assert set(Counter(day for day, _ in found).values()) == {1}
    return dict(found)


@pytest.fixture
def before(source: Source, one_run: tuple[Path, Path], tmp_path: Path) -> Installation:
    """An installation with the tables of one run before the change."""
    shutil.copytree(one_run[0], tmp_path / "data")
    return source.house(tmp_path)


@pytest.fixture
def expected(source: Source, one_run: tuple[Path, Path]) -> tuple[dict[str, str], dict[str, str]]:
    """What one run leaves in an empty warehouse, before the change and after it."""
    found = exported(source.house(one_run[0].parent)), exported(source.house(one_run[1].parent))
    assert all(found[0][name] != found[1][name] for name in WINDOWED)
    return found


# A run a day


def test_a_run_a_day_in_any_order_leaves_the_bytes_of_one(
    source: Source, expected: tuple[dict[str, str], dict[str, str]], tmp_path: Path
) -> None:
    changed = source.changed_days()
    assert MOVED in changed
    assert EMPTIED in changed
    house, days = source.house(tmp_path), random.Random(60).sample(DAYS, len(DAYS))
    early, late = days[: len(days) // 2], days[len(days) // 2 :]
    assert {day in early for day in changed} == {True, False}, "the test has to see days change before and after"
    source.sandbox.state = 0
    for day in early:
        read_alone(source, house, day)
    source.sandbox.state = 1
    for day in [*late, *(day for day in early if day in changed)]:
        read_alone(source, house, day)
    assert exported(house) == expected[1]
    assert house.materialize(*ASSETS, dates=(str(DAYS[0]), str(DAYS[-1]))).success
    assert exported(house) == expected[1], "once more leaves the same"


def read_alone(source: Source, house: Installation, day: date) -> None:
    """Read one day in a run of its own, which tells of that day alone."""
    result = house.materialize(*ASSETS, day=str(day))
    assert result.success
    events = result.get_asset_materialization_events()
    for resource in WINDOWED:
        assert told_rows(events, resource) == source.counts(resource, [day])


# Processes


Backfill = Callable[..., Command]


@pytest.fixture
def backfill(source: Source, tmp_path: Path) -> Iterator[Backfill]:
    """Return a function that starts ``crm-assets sync --from … --to …``, with variables besides the usual ones."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("SOURCES__")}
    settings |= {
        "CRM_ASSETS_SANDBOX": source.url,
        "CRM_ASSETS_CONNECTIONS": str(source.file),
        "CRM_ASSETS_DATA": str(tmp_path / "data"),
    }
    selection = " or ".join(f'key:"{asset}"' for asset in ASSETS)
    started: list[Command] = []

    def start(days: Sequence[date], **variables: str) -> Command:
        arguments = ["sync", selection, "--from", str(days[0]), "--to", str(days[-1])]
        started.append(Command(arguments, settings | variables, tmp_path / f"told{len(started)}"))
        return started[-1]

    yield start
    for command in started:
        command.process.kill()
        command.process.join()


def succeeded(command: Command) -> None:
    """Wait for its end and fail where it is not a good one."""
    code, told = command.wait()
    assert code == 0, told


def told_by_all(home: Path, resource: str) -> dict[str, int]:
    """Return what the latest materialization of each partition tells, as Dagster has stored it."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        records = instance.fetch_materializations(dg.AssetKey([NAME, resource]), limit=1000).records
    found: dict[str, int] = {}
    for record in records:
        assert record.asset_materialization
        count = record.asset_materialization.metadata["dagster/partition_row_count"].value
        assert isinstance(count, int)
        found.setdefault(str(record.partition_key), count)
    return found


def runs_with_reads(house: Installation) -> int:
    """Return how many runs have loaded something."""
    (found,) = house.query(f"SELECT count(DISTINCT run_id) AS runs FROM {NAME}._reads WHERE complete")
    return int(found["runs"])


def hold(source: Source, page: int, seconds: float = 60) -> None:
    """Let the first reader that asks for such a page of visits wait for it."""
    source.sandbox.faults.push(Fault("delay", NAME, PAGED, page=page, times=1, seconds=seconds))


def held(source: Source) -> str:
    """Return the first day of what the waiting reader asked for, once there is one."""
    return until(
        lambda: next((one.query["start_date"] for one in source.sandbox.requests.of(NAME, PAGED) if one.faults), "")
    )


def test_processes_leave_the_bytes_of_one_run(
    source: Source, expected: tuple[dict[str, str], dict[str, str]], backfill: Backfill, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    hold(source, page=2, seconds=3)  # or it might be done before another begins
    for command in [backfill(share, DAGSTER_HOME=str(home)) for share in SHARES]:
        succeeded(command)
    house = source.house(tmp_path)
    assert exported(house) == expected[0]
    assert left_behind(house) == []
    assert runs_with_reads(house) == len(SHARES)
    reads = house.query(f"SELECT min(started_at) AS first, max(finished_at) AS last FROM {NAME}._reads GROUP BY run_id")
    at_once = [one for one in reads for other in reads if one["first"] < other["first"] < one["last"]]
    assert at_once, "the test has to see processes that read at once"
    for resource in WINDOWED:
        assert told_by_all(home, resource) == source.counts(resource)


def test_a_run_killed_in_the_middle_and_run_again(
    source: Source, before: Installation, expected: tuple[dict[str, str], dict[str, str]], backfill: Backfill
) -> None:
    source.sandbox.state = 1
    hold(source, page=3)
    command = backfill(DAYS)
    assert held(source) == str(DAYS[0])
    command.process.kill()
    command.process.join()
    served = sum(one.status == 200 for one in source.sandbox.requests)
    assert exported(before) == expected[0]
    source.sandbox.requests.clear()
    succeeded(backfill(DAYS))
    assert served > 3, "the test has to kill it in the middle"
    assert source.sandbox.requests.of(NAME, PAGED), "the test has to kill it in the middle"
    assert exported(before) == expected[1]
    assert left_behind(before) == []


def test_one_of_several_processes_killed_in_the_middle_and_run_again(
    source: Source, before: Installation, expected: tuple[dict[str, str], dict[str, str]], backfill: Backfill
) -> None:
    source.sandbox.state = 1
    hold(source, page=2)
    commands = {str(share[0]): (backfill(share), share) for share in SHARES}
    victim, days = commands.pop(held(source))
    victim.process.kill()
    victim.process.join()
    for command, _ in commands.values():
        succeeded(command)
    assert runs_with_reads(before) == 1 + len(commands)
    succeeded(backfill(days))
    assert exported(before) == expected[1]
    assert left_behind(before) == []
