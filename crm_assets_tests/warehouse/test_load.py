"""What loads leave: the same tables in whatever order; windows, cursors and deletes as at the source."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from crm_assets.declarations.models.connection import Connection
from crm_assets_tests.conftest import Build, HouseWith, only
from crm_assets_tests.faults import Fault, FaultySandbox, serve
from crm_assets_tests.installation import SMALL, START, TODAY, Installation, Row, dates

ALL_DAYS = (START.isoformat(), TODAY.isoformat())
LAST_DAYS = dates(TODAY - timedelta(days=9))


def keys_of(rows: list[Row]) -> set[Any]:
    return {row["id"] for row in rows}


def live(house: Installation, connection: str, resource: str) -> list[Row]:
    return house.table(connection, resource, "_deleted_at IS NULL")


def last_read(house: Installation, connection: str, resource: str) -> Row:
    return house.query(
        f"SELECT * FROM {connection}._reads WHERE resource = '{resource}' ORDER BY finished_at DESC LIMIT 1"
    )[0]


# Windows


def test_leads_of_a_day_are_those_of_a_query_for_that_day_alone(house: Build) -> None:
    here = house("visitor_analytics")
    assert here.materialize(
        "visitor_analytics/leads", dates=(LAST_DAYS[0].isoformat(), LAST_DAYS[-1].isoformat())
    ).success
    seen: dict[tuple[str, str], set[Any]] = {}
    for row in here.table("visitor_analytics", "leads"):
        seen.setdefault((row["account_id"], row["id"]), set()).add(row["last_visit_date"])
    assert any(len(days) > 1 for days in seen.values()), "the test has to see a lead that came on several days"
    for day in LAST_DAYS:
        of_day = here.table("visitor_analytics", "leads", f"last_visit_date = '{day}'")
        assert of_day == here.truth("visitor_analytics", "leads", day, day)


def test_a_day_read_again_holds_what_the_api_holds_now(house: Build, sandbox: FaultySandbox) -> None:
    here = house("service_crm")
    zone = here.connections["service_crm"].timezone
    assert here.materialize("service_crm/appointments", dates=ALL_DAYS).success
    before = here.table("service_crm", "appointments")
    sandbox.state = 3
    gone = keys_of(before) - keys_of(here.truth("service_crm", "appointments"))
    assert gone, "the test has to see rows that left"
    left = next(row for row in before if row["id"] in gone)
    day = left["start_at"].astimezone(here.connections["service_crm"].zone).date()
    assert here.materialize("service_crm/appointments", day=day.isoformat()).success

    on_day = f"CAST(start_at AT TIME ZONE '{zone}' AS DATE) = '{day}'"
    assert here.table("service_crm", "appointments", on_day) == here.truth("service_crm", "appointments", day, day)
    assert left["id"] not in keys_of(here.table("service_crm", "appointments"))
    others = [row for row in before if row["start_at"].astimezone(here.connections["service_crm"].zone).date() != day]
    assert here.table("service_crm", "appointments", f"NOT ({on_day})") == others
    assert here.materialize("service_crm/appointments", dates=ALL_DAYS).success
    assert here.table("service_crm", "appointments") == here.truth("service_crm", "appointments")


def test_a_day_that_became_empty_leaves_the_table(house: Build) -> None:
    here = house("visitor_analytics")
    assert here.materialize("visitor_analytics/visits", day=ALL_DAYS[0]).success
    empty = TODAY + timedelta(days=30)
    assert here.truth("visitor_analytics", "visits", empty, empty) == []
    here.change(
        "INSERT INTO visitor_analytics.visits (id, account_id, date, _read_id) "
        f"VALUES ('was there', 'a', '{empty}', 'old'), ('is there', 'a', '{empty + timedelta(days=1)}', 'old')"
    )
    result = here.materialize("visitor_analytics/visits", day=empty.isoformat())
    assert result.success
    (event,) = result.get_asset_materialization_events()
    facts = {name: value.value for name, value in event.materialization.metadata.items()}
    assert (facts["rows_loaded"], facts["rows_deleted"], facts["dagster/partition_row_count"]) == (0, 1, 0)
    found = keys_of(here.table("visitor_analytics", "visits"))
    assert "was there" not in found
    assert "is there" in found


def test_rows_without_a_date_come_with_every_window_and_leave_with_it(
    house: Build, connections: dict[str, Connection]
) -> None:
    here = house(only(connections["contact_crm"], "tasks"))
    assert here.materialize("contact_crm/tasks", day=ALL_DAYS[0]).success
    include_undated = here.table("contact_crm", "tasks", "due_date IS NULL")
    assert include_undated == [row for row in here.truth("contact_crm", "tasks") if row["due_date"] is None]
    assert include_undated
    here.change("INSERT INTO contact_crm.tasks (id, _read_id) VALUES ('gone at the source', 'old')")
    assert here.materialize("contact_crm/tasks", day=ALL_DAYS[1]).success
    assert here.table("contact_crm", "tasks", "due_date IS NULL") == include_undated


def with_depth(connection: Connection, resource: str, depth: int) -> Connection:
    """Return the connection with one resource, of which the API serves so many rows per query."""
    chosen = only(connection, "accounts", resource)
    resources = [
        one.model_copy(update={"window": one.window.model_copy(update={"max_rows": depth})}) if one.window else one
        for one in chosen.system.resources
    ]
    return chosen.model_copy(update={"system": chosen.system.model_copy(update={"resources": tuple(resources)})})


@pytest.mark.usefixtures("served")
def test_a_query_too_deep_for_the_api_is_split(connections: dict[str, Connection], tmp_path: Path) -> None:
    shallow = with_depth(connections["visitor_analytics"], "visits", 8)
    sandbox = FaultySandbox([shallow], rows=60, start=START, today=TODAY)
    with serve(sandbox) as address:
        here = Installation(sandbox, address, tmp_path / "data", [shallow])
        assert here.materialize("visitor_analytics/visits", dates=ALL_DAYS).success
        assert len(here.truth("visitor_analytics", "visits")) > 3 * 8
        assert here.table("visitor_analytics", "visits") == here.truth("visitor_analytics", "visits")
        asked = {(one.query["start_date"], one.query["end_date"]) for one in sandbox.requests.of(resource="visits")}
        assert ALL_DAYS in asked
        assert len(asked) > 4


@pytest.mark.usefixtures("served")
def test_a_day_too_deep_for_the_api_is_an_error(connections: dict[str, Connection], tmp_path: Path) -> None:
    shallow = with_depth(connections["visitor_analytics"], "visits", 1)
    sandbox = FaultySandbox([shallow], rows=60, start=START, today=TODAY)
    with serve(sandbox) as address:
        here = Installation(sandbox, address, tmp_path / "data", [shallow])
        result = here.materialize("visitor_analytics/visits", dates=ALL_DAYS)
        assert not result.success
        sentence = here.check("visitor_analytics/visits", "completeness")["completeness"].description
        assert "the API serves no more than 1 rows of one query, and this window has as many" in str(sentence)


# Cursors


@pytest.fixture
def tickets(house_with: HouseWith, connections: dict[str, Connection]) -> Installation:
    """An installation that read the tickets once."""
    here = house_with(only(connections["service_crm"], "tickets"))
    here.sandbox.requests.clear()
    return here


def sent(house: Installation) -> list[str | None]:
    """Return the starting points that were asked for since the log was cleared."""
    found = [one.query.get("since_updated_at") for one in house.sandbox.requests.of("service_crm", "tickets")]
    house.sandbox.requests.clear()
    return found


def next_start(house: Installation) -> str:
    """Return the starting point that follows from what is loaded: the greatest value less an hour."""
    greatest: datetime = max(row["updated_at"] for row in house.table("service_crm", "tickets"))
    start = (greatest - timedelta(hours=1)).astimezone(timezone.utc)
    return start.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_cursor_starts_from_what_is_loaded(tickets: Installation, sandbox: FaultySandbox) -> None:
    assert last_read(tickets, "service_crm", "tickets")["mode"] == "full_refresh"
    before, first = tickets.table("service_crm", "tickets"), next_start(tickets)
    sandbox.state = 1
    assert tickets.materialize("service_crm/tickets").success
    assert set(sent(tickets)) == {first}
    read = last_read(tickets, "service_crm", "tickets")
    assert read["mode"] == "incremental"
    truth = tickets.truth("service_crm", "tickets")
    changed = [row for row in truth if row not in before]
    assert changed
    assert len(changed) <= read["rows"] < len(truth) / 2, "a cursor reads what changed"
    stays = [row for row in before if row["id"] not in keys_of(truth)]
    assert tickets.table("service_crm", "tickets") == sorted([*truth, *stays], key=lambda row: str(row["id"]))
    assert next_start(tickets) > first


def test_requests_are_proportional_to_changes(house: Build, connections: dict[str, Connection], tmp_path: Path) -> None:
    one = only(connections["service_crm"], "tickets")
    many = FaultySandbox([one], rows=600, start=START, today=TODAY)
    with serve(many) as address:
        here = Installation(many, address, tmp_path / "data", [one])
        assert here.materialize("service_crm/tickets").success
        whole = len(sent(here))
        assert whole > 20
        assert here.materialize("service_crm/tickets").success
        again = sent(here)
        recent = [row for row in here.table("service_crm", "tickets") if row["updated_at"].isoformat() >= again[0][:19]]
        assert len(recent) < 60
        assert len(again) <= len(recent) // SMALL + 1
        many.state = 1
        assert here.materialize("service_crm/tickets").success
        assert len(sent(here)) <= len(again) + 4


def test_a_failed_run_moves_no_cursor(tickets: Installation, sandbox: FaultySandbox) -> None:
    before, start = tickets.snapshot("service_crm"), next_start(tickets)
    sandbox.state = 1
    sandbox.faults.push(Fault("truncated", "service_crm", "tickets"))
    assert not tickets.materialize("service_crm/tickets").success
    assert tickets.snapshot("service_crm") == before
    assert set(sent(tickets)) == {start}
    sandbox.faults.clear()
    assert tickets.materialize("service_crm/tickets").success
    assert set(sent(tickets)) == {start}


def test_a_run_tagged_full_sweeps_and_sees_deletes(tickets: Installation, sandbox: FaultySandbox) -> None:
    before = tickets.table("service_crm", "tickets")
    sandbox.state = 1
    gone = keys_of(before) - keys_of(tickets.truth("service_crm", "tickets"))
    assert gone
    assert tickets.materialize("service_crm/tickets").success
    assert keys_of(tickets.table("service_crm", "tickets", "_deleted_at IS NOT NULL")) == set()
    sent(tickets)
    assert tickets.materialize("service_crm/tickets", tags={"crm/full": "true"}).success
    assert set(sent(tickets)) == {None}
    assert keys_of(tickets.table("service_crm", "tickets", "_deleted_at IS NOT NULL")) == gone
    assert live(tickets, "service_crm", "tickets") == tickets.truth("service_crm", "tickets")


def test_a_cursor_sweeps_again_when_its_last_sweep_is_old(house: Build, connections: dict[str, Connection]) -> None:
    here = house(only(connections["less_annoying_crm"], "contacts"))
    modes = []
    for _ in range(2):
        assert here.materialize("less_annoying_crm/contacts").success
        modes.append(last_read(here, "less_annoying_crm", "contacts")["mode"])
    here.change("UPDATE less_annoying_crm._reads SET finished_at = finished_at - INTERVAL '8' DAY")
    for _ in range(2):
        assert here.materialize("less_annoying_crm/contacts").success
        modes.append(last_read(here, "less_annoying_crm", "contacts")["mode"])
    assert modes == ["full_refresh", "incremental", "full_refresh", "incremental"]


# Deletes


def test_what_a_proven_sweep_no_longer_finds_is_marked_and_cleared_when_it_is_back(
    paging: Installation, sandbox: FaultySandbox
) -> None:
    before = paging.table("paging", "by_page")
    sandbox.state = 1
    truth = paging.truth("paging", "by_page")
    gone = keys_of(before) - keys_of(truth)
    assert gone
    started = datetime.now(timezone.utc)
    assert paging.materialize("paging/by_page").success
    marked = paging.query("SELECT id, _deleted_at FROM paging.by_page WHERE _deleted_at IS NOT NULL")
    assert {row["id"] for row in marked} == gone
    assert all(started <= row["_deleted_at"] <= datetime.now(timezone.utc) for row in marked)
    assert live(paging, "paging", "by_page") == truth
    assert {row["id"] for row in paging.query("SELECT id FROM paging.by_page__current")} == keys_of(truth)

    assert paging.materialize("paging/by_page").success
    again = paging.query("SELECT id, _deleted_at FROM paging.by_page WHERE _deleted_at IS NOT NULL")
    assert sorted(again, key=str) == sorted(marked, key=str), "the moment stays when it is still gone"

    sandbox.state = 0
    assert paging.materialize("paging/by_page").success
    assert keys_of(live(paging, "paging", "by_page")) == keys_of(before)
    assert live(paging, "paging", "by_page") == before


def test_a_short_sweep_marks_nothing(paging: Installation, sandbox: FaultySandbox) -> None:
    sandbox.state = 1
    sandbox.faults.push(Fault("reset", "paging", "by_page", page=3))
    assert not paging.materialize("paging/by_page").success
    assert paging.query("SELECT count(_deleted_at) AS marked FROM paging.by_page") == [{"marked": 0}]


def test_a_sweep_with_rejects_marks_nothing(paging: Installation, sandbox: FaultySandbox) -> None:
    sandbox.state = 1
    sandbox.faults.push(Fault("null_id", "paging", "whole"))
    paging.materialize("paging/whole")
    assert paging.query("SELECT count(_deleted_at) AS marked FROM paging.whole") == [{"marked": 0}]


@pytest.mark.parametrize(("guard", "marks"), [(0.3, False), (0.9, True)])
def test_the_guard_bounds_what_one_sweep_may_mark(
    house: Build, house_with: HouseWith, connections: dict[str, Connection], guard: float, marks: bool
) -> None:
    declared = only(connections["paging"], "whole")
    here = house(declared.model_copy(update={"max_delete_fraction": guard}), folder=house_with(declared).folder)
    rows = len(here.table("paging", "whole"))
    here.change(f"INSERT INTO paging.whole (id, _read_id) SELECT 900000 + range, 'old' FROM range({rows})")
    result = here.materialize("paging/whole")
    assert result.success
    (event,) = result.get_asset_materialization_events()
    facts = {name: value.value for name, value in event.materialization.metadata.items()}
    expected = (rows, 0) if marks else (0, rows)
    assert (facts["rows_deleted"], facts["rows_vanished_not_marked"]) == expected
    (marked,) = here.query("SELECT count(_deleted_at) AS marked FROM paging.whole")
    assert marked == {"marked": expected[0]}


def test_an_empty_list_is_a_table_without_rows(house: Build, connections: dict[str, Connection]) -> None:
    here = house(only(connections["visitor_analytics"], "accounts", "visits"))
    here.sandbox.faults.push(Fault("empty_page", "visitor_analytics", "visits"))
    result = here.materialize("visitor_analytics/visits", day=ALL_DAYS[0])
    assert result.success
    assert here.table("visitor_analytics", "visits") == []
    assert here.check("visitor_analytics/visits", "schema")["schema"].passed


def test_rows_of_all_reads_have_their_keys_once_in_each(house: Build, connections: dict[str, Connection]) -> None:
    connection = only(connections["paging"], "whole")
    (resource,) = connection.system.resources
    appended = resource.model_copy(update={"write_disposition": "append"})
    here = house(
        connection.model_copy(update={"system": connection.system.model_copy(update={"resources": (appended,)})})
    )
    assert all(here.materialize("paging/whole").success for _ in range(2))
    assert here.check("paging/whole", "primary_key")["primary_key"].passed
    here.change("INSERT INTO paging.whole SELECT * FROM paging.whole LIMIT 1")
    assert not here.check("paging/whole", "primary_key")["primary_key"].passed
