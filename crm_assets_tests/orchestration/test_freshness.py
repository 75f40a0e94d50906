"""Freshness: derived from the schedule, told by the read log, on every table."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import dagster as dg
import pytest
import time_machine

from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.freshness import tolerance_of
from crm_assets.orchestration.schedule_times import longest_gap
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.orchestration.automation.helpers import definitions_of, scheduled

Connections = dict[str, Connection]
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("schedule", "resource", "gap"),
    [
        ({}, "tickets", 24 * HOUR),
        ({"cron": "*/15 * * * *"}, "tickets", HOUR / 4),
        ({"cron": "0 4 * * 1-5"}, "tickets", 72 * HOUR),
        ({"cron": "0 4 1 * *"}, "tickets", 31 * 24 * HOUR),
        ({"cron": "*/15 * * * *", "windows": "0 */6 * * *"}, "appointments", 6 * HOUR),
        ({"cron": "0 */6 * * *"}, "appointments", 6 * HOUR),
    ],
)
def test_the_longest_wait_of_a_schedule(
    connections: Connections, schedule: dict[str, str], resource: str, gap: timedelta
) -> None:
    connection = scheduled(connections["service_crm"], **schedule)
    found = longest_gap(connection, connection.system.resource(resource))
    assert gap <= found <= gap + HOUR  # the hour that a change of clocks adds


def test_every_asset_has_a_policy(connections: Connections) -> None:
    graph = definitions_of(list(connections.values())).resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        connection = connections[key.path[0]]
        tolerance = tolerance_of(connection, connection.system.resource(key.path[1]))
        expected = dg.FreshnessPolicy.time_window(fail_window=tolerance.stale, warn_window=tolerance.late)
        assert graph.get(key).freshness_policy == expected
    assert tolerance.late > 24 * HOUR


def test_the_check_warns_when_a_read_is_overdue(house: Build, connections: Connections) -> None:
    here = house(only(connections["sales_crm"], "accounts"))
    before = here.check("sales_crm/accounts", "freshness")["freshness"]
    assert (before.passed, before.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert before.description == "No complete read was made yet; materialize the asset."

    here.materialize("sales_crm/accounts")
    fresh = here.check("sales_crm/accounts", "freshness")["freshness"]
    assert fresh.passed
    assert fresh.description == "Current data was read 0.0 hours ago; the schedule allows 1 day, 6:00:00."

    with time_machine.travel(datetime.now(timezone.utc) + 31 * HOUR):
        late = here.check("sales_crm/accounts", "freshness")["freshness"]
    assert (late.passed, late.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert late.description == "Current data was last read 31.0 hours ago; the schedule allows 1 day, 6:00:00."
    assert late.metadata["hours"].value == pytest.approx(31, abs=0.1)


def test_a_read_that_fell_short_does_not_count(house: Build, connections: Connections) -> None:
    from crm_assets_tests.faults import Fault

    here = house(only(connections["sales_crm"], "accounts"))
    here.sandbox.faults.push(Fault("status", connection="sales_crm", resource="accounts", status=403))
    assert not here.materialize("sales_crm/accounts").success
    assert not here.check("sales_crm/accounts", "freshness")["freshness"].passed


def test_a_backfill_of_old_days_makes_no_table_fresh(house: Build, connections: Connections) -> None:
    here = house(only(connections["service_crm"], "appointments"))
    here.materialize("service_crm/appointments", dates=("2024-03-01", "2024-03-05"))
    found = here.check("service_crm/appointments", "freshness")["freshness"]
    assert found.description == "No complete read of the current days was made yet; materialize the asset."

    zone = here.connections["service_crm"].zone
    today: date = datetime.now(zone).date()
    dates = ((today - timedelta(days=3)).isoformat(), today.isoformat())
    here.materialize("service_crm/appointments", dates=dates)
    here.materialize("service_crm/appointments", day="2024-03-02")
    assert here.check("service_crm/appointments", "freshness")["freshness"].passed
