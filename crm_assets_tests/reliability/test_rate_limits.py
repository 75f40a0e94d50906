"""The vendor's pace holds over processes and restarts, and a storm of refusals never makes anybody faster."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.fetch import fetch
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.read_report import ReadTask
from crm_assets.extract.secrets import secrets_of
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.installation import tidy
from crm_assets_tests.reliability.conftest import MakeJob
from crm_assets_tests.reliability.killed_runs import Victim

NAME = "service_crm"
RATE = 20
RESOURCES = ("customers", "tickets", "contacts", "invoices", "products", "leads", "items", "estimates")


def fullest(moments: list[float], seconds: float) -> int:
    """Return the greatest number of moments in any span of so many seconds."""
    return max(sum(start <= moment < start + seconds for moment in moments) for start in moments)


def test_the_published_figure_holds_over_processes_and_restarts(
    sandbox: FaultySandbox, job: MakeJob, connections: dict[str, Connection]
) -> None:
    limit = RateLimit.model_validate({"requests": RATE, "per": "second"})
    connection = only(connections[NAME], *RESOURCES).model_copy(update={"rate_limit": limit})
    crowd = [Victim(job(connection)) for _ in range(2)]
    assert all(one.told().succeeded for one in crowd)
    assert Victim(job(connection)).told().succeeded
    moments = sorted(entry.at for entry in sandbox.requests.of(NAME))
    assert len(moments) > 2 * RATE
    # a busy sandbox takes half a second of requests at once; runs that do not share a rate would send twice as many
    assert fullest(moments, 2) <= RATE * 2.5
    assert {entry.status for entry in sandbox.requests.of(NAME)} == {200}


def test_a_storm_of_refusals_slows_down(
    sandbox: FaultySandbox,
    house: Build,
    connections: dict[str, Connection],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The API refuses more than so many requests in a second, and has never told anybody."""
    monkeypatch.setattr(sandbox, "rate_limit", RATE / 2)
    mine = house(only(connections[NAME], *RESOURCES))
    connection = mine.connections[NAME]
    tasks = [ReadTask(resource) for resource in connection.system.resources]
    budget = RateLimiter(tmp_path / "budget", None)
    readings = fetch(connection, tasks, secrets_of(connection), tmp_path, budget)
    entries = sorted(sandbox.requests.of(NAME), key=lambda entry: entry.at)
    refused = [entry.at for entry in entries if entry.status == 429]
    assert refused, "the storm has to come"
    first = refused[0]
    assert not [one for one in entries if first + 0.1 < one.at < first + 1], "the refusal asks for a second"
    before = fullest([entry.at for entry in entries if entry.at <= first], 0.2)
    after = fullest([entry.at for entry in entries if entry.at > first + 0.1], 0.2)
    assert after <= before
    for reading in readings:
        assert reading.staged, reading.report.reason
        found = (row for table in reading.staged.tables() for row in table.to_pylist())
        name = reading.task.resource.name
        assert tidy(reading.task.resource, found) == mine.truth(NAME, name)


def test_a_server_that_sends_everybody_away_for_long_is_an_error(
    sandbox: FaultySandbox, house: Build, connections: dict[str, Connection], tmp_path: Path
) -> None:
    mine = house(only(connections[NAME], "customers"))
    connection = mine.connections[NAME]
    sandbox.faults.push(Fault("status", NAME, "customers", status=429, retry_after=3600))
    task = ReadTask(connection.system.resources[0])

    def read(folder: str) -> str:
        (tmp_path / folder).mkdir()
        budget = RateLimiter(tmp_path / "budget", None)
        (reading,) = fetch(connection, [task], secrets_of(connection), tmp_path / folder, budget)
        assert reading.staged is None
        return reading.report.reason

    first = read("first")
    assert first.startswith(f"{NAME}.customers: page 1: the server answered 429 Too Many Requests")
    assert "the server accepts no requests until 20" in first
    assert first.endswith(" UTC; run again after that")
    assert len(sandbox.requests) == 1
    assert "accepts no requests until" in read("again")
    assert len(sandbox.requests) == 1, "the next run does not even ask"
    sandbox.faults.clear()
    sandbox.faults.push(Fault("status", NAME, "customers", status=503, retry_after=901, times=1))
    (tmp_path / "budget").unlink()
    assert "503" in read("other status")


def test_waits_of_a_quarter_of_an_hour_are_kept(tmp_path: Path) -> None:
    clock = [1_000_000.0]
    budget = RateLimiter(tmp_path / "budget", None, lambda: clock[0])
    budget.slow_down(clock[0], 900)
    moments = [budget.reserve() for _ in range(2)]
    assert moments[0] == 1_000_900
    assert all(later >= earlier for earlier, later in pairwise(moments))
