"""Schedules: the right windows at the right moment, and never two connections at once."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import pytest

from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.incremental import Window
from crm_assets.orchestration.automation.schedules import RANGE_END, RANGE_START
from crm_assets.orchestration.keys import CONNECTION_TAG
from crm_assets.orchestration.partitions import partitions_of
from crm_assets.orchestration.schedule_times import cron_of
from crm_assets_tests.conftest import only
from crm_assets_tests.orchestration.automation.helpers import definitions_of, scheduled, tick, windowed

Connections = dict[str, Connection]


def ranges(definitions: dg.Definitions, name: str, moment: str) -> list[tuple[str, str]]:
    requests = tick(definitions, name, moment).run_requests or []
    return [(request.tags[RANGE_START], request.tags[RANGE_END]) for request in requests]


@pytest.fixture(scope="module")
def berlin(connections: Connections) -> dg.Definitions:
    return definitions_of([windowed(connections["service_crm"], days_ahead=0)])


@pytest.mark.parametrize(
    ("moment", "days"),
    [
        pytest.param("2024-03-15T03:30", ("2024-03-12", "2024-03-15"), id="an ordinary day"),
        pytest.param("2024-03-31T00:59", ("2024-03-28", "2024-03-31"), id="before the clock jumps ahead"),
        pytest.param("2024-03-31T01:01", ("2024-03-28", "2024-03-31"), id="after it jumped"),
        pytest.param("2024-04-02T02:00", ("2024-03-30", "2024-04-02"), id="lookback_days days hold the jump"),
        pytest.param("2024-10-27T00:30", ("2024-10-24", "2024-10-27"), id="first 2:30 of the day with two"),
        pytest.param("2024-10-27T01:30", ("2024-10-24", "2024-10-27"), id="second 2:30"),
        pytest.param("2024-10-28T03:00", ("2024-10-25", "2024-10-28"), id="lookback_days days hold the hour twice"),
        pytest.param("2024-06-30T21:59", ("2024-06-27", "2024-06-30"), id="a minute to midnight in Berlin"),
        pytest.param("2024-06-30T22:00", ("2024-06-28", "2024-07-01"), id="midnight in Berlin, not yet in UTC"),
        pytest.param("2024-03-02T04:00", ("2024-03-01", "2024-03-02"), id="no window before start_date"),
    ],
)
def test_a_tick_reads_its_day_and_the_trailing_ones(berlin: dg.Definitions, moment: str, days: tuple[str, str]) -> None:
    assert ranges(berlin, "service_crm_windows_schedule", moment) == [days]


def test_the_day_is_the_connections_own(connections: Connections) -> None:
    chicago = only(connections["service_crm"], "appointments").model_copy(update={"timezone": "America/Chicago"})
    definitions = definitions_of([windowed(chicago, days_ahead=0)])
    assert ranges(definitions, "service_crm_windows_schedule", "2024-06-30T04:59") == [("2024-06-26", "2024-06-29")]
    assert ranges(definitions, "service_crm_windows_schedule", "2024-06-30T05:00") == [("2024-06-27", "2024-06-30")]


@pytest.mark.parametrize(
    ("window", "days"),
    [
        ({"lookback_days": 0}, ("2024-05-15", "2024-05-15")),
        ({"lookback_days": 10}, ("2024-05-05", "2024-05-15")),
        ({"lookback_days": 1, "days_ahead": 90}, ("2024-05-14", "2024-08-13")),
        ({"lookback_days": 3, "grain": "weekly"}, ("2024-05-12", "2024-05-12")),
        ({"lookback_days": 4, "grain": "weekly"}, ("2024-05-05", "2024-05-12")),
        ({"lookback_days": 14, "grain": "monthly"}, ("2024-05-01", "2024-05-01")),
        ({"lookback_days": 15, "grain": "monthly"}, ("2024-04-01", "2024-05-01")),
    ],
)
def test_grain_trailing_days_and_horizon(
    connections: Connections, window: dict[str, object], days: tuple[str, str]
) -> None:
    appointments = only(connections["service_crm"], "appointments")
    definitions = definitions_of([windowed(appointments, **{"days_ahead": 0, **window})])
    assert ranges(definitions, "service_crm_windows_schedule", "2024-05-15T03:30") == [days]


@pytest.mark.parametrize(
    ("grain", "day", "first"),
    [
        ("daily", "2024-02-29", "2024-02-29"),
        ("weekly", "2025-01-01", "2024-12-29"),
        ("weekly", "2024-12-29", "2024-12-29"),
        ("monthly", "2024-02-29", "2024-02-01"),
    ],
)
def test_the_first_partition_has_the_first_day(connections: Connections, grain: Any, day: str, first: str) -> None:
    connection = connections["service_crm"].model_copy(update={"start_date": date.fromisoformat(day)})
    partitions = partitions_of(connection, Window(field="day", grain=grain))
    assert partitions.get_first_partition_key() == first


def test_trailing_days_of_one_resource_are_no_siblings_business(connections: Connections) -> None:
    connection = windowed(connections["contact_crm"], days_ahead=0)
    longer = windowed(only(connection, "notes"), lookback_days=30).system.resources
    others = tuple(one for one in connection.system.resources if one.name != "notes")
    changed = connection.system.model_copy(update={"resources": (*others, *longer)})
    definitions = definitions_of([connection.model_copy(update={"system": changed})])
    requests = tick(definitions, "contact_crm_windows_schedule", "2024-05-15T04:07").run_requests or []
    found = {request.tags[RANGE_START]: {key.path[-1] for key in request.asset_selection or []} for request in requests}
    assert found == {"2024-05-12": {"tasks", "events"}, "2024-04-15": {"notes"}}
    assert len({request.run_key for request in requests}) == 2


def test_windows_of_several_kinds_have_a_job_each(connections: Connections) -> None:
    definitions = definitions_of([connections["less_annoying_crm"]])
    names = {job.name for job in definitions.resolve_all_job_defs() if "windows" in job.name}
    assert names == {"less_annoying_crm_windows_daily", "less_annoying_crm_windows_daily90"}
    plans = ranges(definitions, "less_annoying_crm_windows_daily90_schedule", "2024-05-15T12:00")
    assert plans == [("2024-05-12", "2024-08-13")]


def test_a_tick_before_the_first_window_says_why_it_reads_nothing(berlin: dg.Definitions) -> None:
    data = tick(berlin, "service_crm_windows_schedule", "2024-02-28T04:00")
    assert not data.run_requests
    assert data.skip_message == "service_crm has no window on 2024-02-28: its start_date is 2024-03-01."


def test_sweeps_and_cursors_run_whole(berlin: dg.Definitions) -> None:
    (request,) = tick(berlin, "service_crm_lists_schedule", "2024-05-15T04:00").run_requests or []
    assert RANGE_START not in request.tags
    job = berlin.resolve_job_def("service_crm_lists")
    assert job.tags[CONNECTION_TAG] == "service_crm"
    assert {key.path[-1] for key in job.asset_layer.executable_asset_keys} >= {"tickets", "customers"}
    assert "appointments" not in {key.path[-1] for key in job.asset_layer.executable_asset_keys}


def test_all_start_at_a_minute_of_their_own(connections: Connections) -> None:
    definitions = definitions_of(list(connections.values()))
    dg.Definitions.validate_loadable(definitions)
    schedules = list(definitions.get_repository_def().schedule_defs)
    assert len({schedule.cron_schedule for schedule in schedules}) == len(schedules) > len(connections)
    assert {schedule.default_status for schedule in schedules} == {dg.DefaultScheduleStatus.STOPPED}
    zones = {schedule.name: schedule.execution_timezone for schedule in schedules}
    assert zones["service_crm_windows_schedule"] == "Europe/Berlin"
    assert zones["less_annoying_crm_lists_schedule"] == "America/Chicago"


def test_many_jobs_still_start_one_by_one(connections: Connections) -> None:
    crons = {cron_of(connections["service_crm"], position) for position in range(180)}
    assert len(crons) == 180
    assert all(4 <= int(cron.split()[1]) < 7 for cron in crons)


def test_own_crons_are_kept(connections: Connections) -> None:
    own = scheduled(connections["service_crm"], cron="*/15 * * * *", windows="30 5 * * 1-5")
    assert (cron_of(own, 3), cron_of(own, 3, windows=True)) == ("*/15 * * * *", "30 5 * * 1-5")
    one = scheduled(connections["service_crm"], cron="15 4 * * *")
    assert cron_of(one, 3, windows=True) == "15 4 * * *"


def test_invalid_cron_expressions_are_refused_with_their_place(connections: Connections) -> None:
    with pytest.raises(SpecError) as caught:
        definitions_of([scheduled(connections["service_crm"], windows="4 o'clock")])
    assert "connection service_crm" in str(caught.value)
    assert "schedule.windows" in str(caught.value)
    assert 'invalid cron expression "4 o\'clock"' in str(caught.value)


def test_only_what_is_enabled_runs_by_itself(connections: Connections) -> None:
    enabled = scheduled(connections["service_crm"], enabled=True, sensor_seconds=45)
    repository = definitions_of([enabled, connections["nutshell"]]).get_repository_def()
    schedules = {one.name for one in repository.schedule_defs if one.default_status.value == "RUNNING"}
    sensors = {one.name: one for one in repository.sensor_defs if one.default_status.value == "RUNNING"}
    assert schedules == {"service_crm_lists_schedule", "service_crm_windows_schedule"}
    assert set(sensors) == {"service_crm_changes", "crm_alerts", "crm_abandoned_runs"}
    assert sensors["service_crm_changes"].minimum_interval_seconds == 45
