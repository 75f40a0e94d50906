"""Plan: what a sync would ask for, without asking."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from shutil import copytree

import pytest
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from crm_assets.commands.list_sizes import ListSize, list_sizes
from crm_assets.commands.plan import Line, Plan, least_seconds, plan
from crm_assets.commands.plan_view import render_plans
from crm_assets.commands.sync.run_requests import SyncRequest, plan_runs, select_assets
from crm_assets.commands.workspace import Workspace
from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.shared_state import FileState
from crm_assets.settings import Settings
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.conftest import Build
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import START, TODAY, Installation

Connections = dict[str, Connection]


def planned(connection: Connection, warehouse: Warehouse, *names: str, **options: object) -> dict[str, Line]:
    chosen = names or tuple(resource.name for resource in connection.system.resources)
    (found,) = plan([(connection, chosen)], warehouse, today=TODAY, **options)  # type: ignore[arg-type]
    lines: dict[str, Line] = {}
    for line in found.lines:
        lines.setdefault(f"{line.resource} keys" if "keys of" in line.asks else line.resource, line)
    assert len(lines) == len(found.lines)
    return lines


def printed(plans: Iterable[Plan]) -> str:
    file = StringIO()
    Console(width=200, file=file).print(render_plans(plans))
    return file.getvalue()


@pytest.fixture
def empty(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "data", "duckdb", 5)


def test_what_was_never_read_needs_a_request_per_list_at_least(connections: Connections, empty: Warehouse) -> None:
    lines = planned(connections["visitor_analytics"], empty)
    assert {name: (line.mode, line.asks, line.requests, line.basis) for name, line in lines.items()} == {
        "accounts": ("full_refresh", "the whole list", 1, "least"),
        "leads": ("window", "2024-03-01 to 2024-03-30, 30 days", 30, "least"),
        "visits": ("window", "2024-03-01 to 2024-03-30, 30 days", 1, "least"),
        "accounts keys": ("full_refresh", "the whole list, for the keys of leads, visits", 1, "least"),
    }
    assert not empty.folder.exists()


def test_rows_without_a_date_are_one_request_more(connections: Connections, empty: Warehouse) -> None:
    assert planned(connections["contact_crm"], empty, "tasks")["tasks"].requests == 2


def test_the_horizon_lies_ahead(connections: Connections, empty: Warehouse) -> None:
    assert planned(connections["less_annoying_crm"], empty, "events")["events"].asks == (
        "2024-03-01 to 2024-06-28, 120 days"
    )


def test_days_that_are_asked_for_are_the_ones_planned(connections: Connections, empty: Warehouse) -> None:
    days = DateRange(date(2024, 3, 10), date(2024, 3, 12))
    lines = planned(connections["visitor_analytics"], empty, days=days)
    assert lines["visits"].asks == "2024-03-10 to 2024-03-11, 2 days"
    assert lines["leads"].requests == 2
    before = DateRange(date(2023, 1, 1), date(2023, 1, 2))
    assert planned(connections["visitor_analytics"], empty, days=before)["visits"] == Line(
        "visits", "window", "no partition lies in 2023-01-01", 0, "earlier reads"
    )


def test_a_first_day_that_is_ahead_costs_other_lists_nothing(tmp_path: Path) -> None:
    text = "connections: [{name: site, system: visitor_analytics, start_date: 2999-12-31}]"
    (tmp_path / "connections.yaml").write_text(text, encoding="utf-8")
    workspace = Workspace(Settings(connections_file=tmp_path / "connections.yaml", data_folder=tmp_path / "data"))
    (keys,) = select_assets(workspace, SyncRequest()).tables.values()
    problems = {run.job: run.problem for run in plan_runs(workspace, "site", keys, SyncRequest())}
    assert problems == {"site_lists": "", "site_windows": "No day is due yet: start_date is 2999-12-31."}


@pytest.fixture(scope="module")
def loaded_folder(
    served: tuple[FaultySandbox, str], connections: Connections, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A data folder with two lists of one connection and all of another; of windows all but the last ten days."""
    chosen = [connections[name] for name in ("service_crm", "visitor_analytics")]
    built = Installation(*served, tmp_path_factory.mktemp("loaded") / "data", chosen)
    days = START.isoformat(), (TODAY - timedelta(days=10)).isoformat()
    assert built.materialize("service_crm/customers", "service_crm/tickets").success
    assert all(result.success for result in built.load("visitor_analytics", days))
    return built.folder


@pytest.fixture
def loaded(house: Build, loaded_folder: Path, tmp_path: Path) -> Installation:
    """An installation with that data."""
    return house("service_crm", "visitor_analytics", folder=Path(copytree(loaded_folder, tmp_path / "data")))


def requests_of(loaded: Installation, connection: str, resource: str) -> int:
    (row,) = loaded.query(f"SELECT requests FROM {connection}._reads WHERE resource = '{resource}' AND complete")
    return int(row["requests"])


def test_earlier_reads_tell_the_requests(loaded: Installation, sandbox: FaultySandbox) -> None:
    sandbox.requests.clear()
    line = planned(loaded.connections["service_crm"], loaded.warehouse)["customers"]
    assert (line.requests, line.basis) == (requests_of(loaded, "service_crm", "customers"), "earlier reads")
    lines = planned(loaded.connections["visitor_analytics"], loaded.warehouse)
    assert {line.basis for line in lines.values()} == {"earlier reads"}
    accounts = requests_of(loaded, "visitor_analytics", "accounts")
    assert lines["accounts"].requests == lines["accounts keys"].requests == accounts
    for name in ("leads", "visits"):
        assert lines[name].asks == "2024-03-21 to 2024-03-30, 10 days"
        assert lines[name].requests == math.ceil(requests_of(loaded, "visitor_analytics", name) / 20 * 10)
    assert len(sandbox.requests) == 0


def test_every_parent_of_the_last_read_has_its_lists(loaded: Installation) -> None:
    visitors = loaded.connections["visitor_analytics"]
    (accounts,) = loaded.query("SELECT count(*) AS n FROM visitor_analytics.accounts")
    one_day = DateRange(TODAY, TODAY + timedelta(days=1))
    assert planned(visitors, loaded.warehouse, "visits", days=one_day)["visits"].requests == accounts["n"]


def test_cursors_start_where_the_next_run_would(loaded: Installation) -> None:
    service = loaded.connections["service_crm"]
    line = planned(service, loaded.warehouse, "tickets")["tickets"]
    ((newest),) = loaded.query("SELECT max(updated_at) AS at FROM service_crm.tickets")
    start = newest["at"].astimezone(service.zone) - timedelta(hours=1)
    assert (line.mode, line.asks) == ("incremental", f"changes since {start:%Y-%m-%d %H:%M}")
    assert (line.requests, line.basis) == (1, "least")
    loaded.materialize("service_crm/tickets")
    assert planned(service, loaded.warehouse, "tickets")["tickets"].basis == "earlier reads"
    full = planned(service, loaded.warehouse, "tickets", full=True)["tickets"]
    assert (full.mode, full.asks, full.basis) == (
        "full_refresh",
        "the whole list (a full refresh was asked for)",
        "earlier reads",
    )


def test_loaded_days_are_not_due_but_the_trailing_ones_are(loaded: Installation) -> None:
    visitors = loaded.connections["visitor_analytics"]
    rest = (TODAY - timedelta(days=9)).isoformat(), TODAY.isoformat()
    loaded.materialize("visitor_analytics/visits", "visitor_analytics/leads", dates=rest)
    line = planned(visitors, loaded.warehouse, "visits")["visits"]
    lookback_days = TODAY - timedelta(days=3)
    assert line.asks == f"{lookback_days} to {TODAY}, 4 days"


@pytest.mark.parametrize(("requests", "per"), [(1, "second"), (7, "second"), (180, "minute"), (100, "minute")])
@pytest.mark.parametrize("count", [1, 2, 99, 100, 101, 400])
def test_the_time_is_the_one_the_rate_budget_needs(tmp_path: Path, requests: int, per: str, count: int) -> None:
    limit = RateLimit(requests=requests, per=per)  # type: ignore[arg-type]
    budget = RateLimiter(tmp_path / "budget", limit, clock=lambda: 1_000_000.0)
    last = [budget.reserve() for _ in range(count)][-1] - 1_000_000.0
    assert least_seconds(count, limit) == pytest.approx(last, rel=0.02, abs=0.001)


def test_totals_are_those_of_the_connection(connections: Connections, empty: Warehouse) -> None:
    limited = connections["visitor_analytics"].model_copy(update={"rate_limit": RateLimit(requests=10, per="minute")})
    plans = plan([(limited, ("accounts", "leads")), (connections["sales_crm"], ("accounts",))], empty, today=TODAY)
    text = printed(plans)
    assert plans[0].requests == 32
    assert plans[0].seconds == pytest.approx(180.6)
    assert "at least 32 requests; at least 3.0 min at 10 a minute" in text
    assert "at least 1 request; no rate limit is known" in text
    assert text.splitlines()[0].strip() == "visitor_analytics"


def test_nothing_is_said_of_a_time_that_nobody_knows(connections: Connections, empty: Warehouse) -> None:
    limited = connections["sales_crm"].model_copy(update={"rate_limit": RateLimit(requests=10, per="second")})
    text = printed(plan([(limited, ("accounts",))], empty, today=TODAY))
    assert "less than a second" not in text
    assert "at least 1 request; at 10 a second; how many more, and how long they take, shows at the first read" in text


def test_it_says_why_a_list_is_read_in_full(loaded: Installation) -> None:
    service = loaded.connections["service_crm"]
    assert planned(service, loaded.warehouse, "invoices")["invoices"].asks == "the whole list (nothing is loaded yet)"
    loaded.change("UPDATE service_crm._reads SET finished_at = finished_at - INTERVAL 8 DAY")
    assert "(the last full refresh was on " in planned(service, loaded.warehouse, "tickets")["tickets"].asks


def test_how_it_looks(connections: Connections, empty: Warehouse, snapshot: SnapshotAssertion) -> None:
    chosen = [(connections[name], ("accounts", "leads", "visits", "events")) for name in ("leadfeeder", "sales_crm")]
    limited = [(one.model_copy(update={"rate_limit": RateLimit(requests=100)}), names) for one, names in chosen]
    assert printed(plan([limited[0], chosen[1]], empty, today=TODAY)) == snapshot


def test_first_pages_say_how_long_a_first_sync_takes(house: Build, sandbox: FaultySandbox) -> None:
    here, names = house("service_crm"), ("customers", "tickets")
    service = here.connections["service_crm"]
    (asked,) = plan([(service, names)], here.warehouse, ask=partial(list_sizes, state=FileState(here.warehouse.folder)))
    assert Counter(request.resource for request in sandbox.requests) == dict.fromkeys(names, 1)
    assert f"about {asked.requests} requests" in printed([asked])
    assert here.materialize("service_crm/customers", "service_crm/tickets").success
    for line in asked.lines:
        assert line.basis == "first page"
        # A first read without a total looks at a quarter of its pages again.
        assert line.requests <= requests_of(here, "service_crm", line.resource) <= 1.25 * line.requests + 1


def test_a_list_per_parent_is_counted_by_the_size_of_the_parent(connections: Connections, empty: Warehouse) -> None:
    def ask(_: Connection, unread: list[Resource]) -> dict[str, ListSize]:
        assert {resource.name for resource in unread} == {"accounts", "leads"}
        return {"accounts": ListSize(records=40, pages=2, seconds=0.5)}

    (asked,) = plan([(connections["visitor_analytics"], ("leads",))], empty, today=TODAY, ask=ask)
    assert {line.resource: (line.requests, line.basis) for line in asked.lines} == {
        "leads": (40 * 30, "least"),
        "accounts": (2, "first page"),
    }


def test_a_list_that_refuses_is_named_with_its_reason(connections: Connections, empty: Warehouse) -> None:
    refused = {"accounts": ListSize(problem="403 Forbidden")}
    plans = plan([(connections["visitor_analytics"], ("accounts",))], empty, today=TODAY, ask=lambda *_: refused)
    assert "the whole list; its size is unknown: 403 Forbidden" in printed(plans)
    assert "at least 1 request" in printed(plans)
