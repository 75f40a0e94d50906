"""Change sensors: one run per change, no request more than needed, and never in the way of a run."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock

from crm_assets.declarations.models.connection import Connection
from crm_assets_tests.conftest import Build, HouseWith, only
from crm_assets_tests.faults import Fault, FaultySandbox, serve
from crm_assets_tests.installation import START, TODAY, Installation
from crm_assets_tests.orchestration.automation.helpers import definitions_of, look, scheduled
from crm_assets_tests.reliability import LONG

Connections = dict[str, Connection]
CURSORS = ["service_crm", "repairshopr", "syncro", "nutshell", "less_annoying_crm"]
"""Of these, two have the same incremental lists as the first; they are asked in the long variant."""


def cursors(house: Installation, name: str) -> list[str]:
    return [one.name for one in house.connections[name].system.resources if one.incremental]


def loaded(build: HouseWith, connection: Connection) -> tuple[Installation, dg.Definitions]:
    """An installation in which the connection's cursors are loaded."""
    house = build(only(connection, *(one.name for one in connection.system.resources if one.incremental)))
    return house, definitions_of(list(house.connections.values()), house.warehouse)


def read(house: Installation, name: str, *resources: str) -> None:
    assert house.materialize(*(f"{name}/{one}" for one in resources or cursors(house, name))).success


@pytest.mark.parametrize("name", CURSORS if LONG else ["service_crm", "nutshell", "less_annoying_crm"])
def test_a_change_fires_once(house_with: HouseWith, connections: Connections, name: str) -> None:
    here, definitions = loaded(house_with, connections[name])
    sensor = f"{name}_changes"
    before = look(definitions, sensor, here.instance)
    assert not before.run_requests
    assert before.skip_message == f"Nothing new in {', '.join(cursors(here, name))}."

    here.sandbox.state = 1
    fired = look(definitions, sensor, here.instance, before.cursor)
    (request,) = fired.run_requests or []
    assert [key.path for key in request.asset_selection or []] == [[name, one] for one in sorted(cursors(here, name))]

    again = look(definitions, sensor, here.instance, fired.cursor)
    assert not again.run_requests

    read(here, name)
    after = look(definitions, sensor, here.instance, again.cursor)
    assert not after.run_requests
    here.sandbox.state = 2
    assert look(definitions, sensor, here.instance, after.cursor).run_requests


def test_only_what_changed_is_read(house_with: HouseWith, connections: Connections) -> None:
    here, definitions = loaded(house_with, connections["service_crm"])
    here.sandbox.state = 1
    read(here, "service_crm", "tickets")
    (request,) = look(definitions, "service_crm_changes", here.instance).run_requests or []
    assert request.asset_selection == [dg.AssetKey(["service_crm", "invoices"])]
    assert request.tags["crm/changed"] == "invoices"


def test_the_question_is_small(house_with: HouseWith, connections: Connections) -> None:
    here, definitions = loaded(house_with, connections["service_crm"])
    here.sandbox.requests.clear()
    look(definitions, "service_crm_changes", here.instance)
    for one in ("tickets", "invoices"):
        asked = here.sandbox.requests.of("service_crm", one)
        assert 1 <= len(asked) <= 2
        ((newest,),) = [tuple(row.values()) for row in here.query(f"SELECT max(updated_at) FROM service_crm.{one}")]
        assert all(entry.query["since_updated_at"][:19] == newest.isoformat()[:19] for entry in asked)


def test_a_long_list_without_news_is_left_to_the_schedule(
    served: tuple[FaultySandbox, str], connections: Connections, tmp_path: Path
) -> None:
    """Where a filter knows days only, what was read before comes again: here more pages of it than are worth asking."""
    connection = only(connections["less_annoying_crm"], "contacts")
    (contacts,) = connection.system.resources
    assert contacts.incremental
    recent = contacts.incremental.model_copy(update={"lookback": timedelta(days=60)})
    wide = contacts.model_copy(update={"incremental": recent})
    connection = connection.model_copy(update={"system": connection.system.model_copy(update={"resources": (wide,)})})
    sandbox = FaultySandbox([connection], rows=400, start=START, today=TODAY)
    with serve(sandbox) as base_url:
        here = Installation(sandbox, base_url, tmp_path / "data", [connection])
        read(here, "less_annoying_crm")
        definitions = definitions_of(list(here.connections.values()), here.warehouse)
        sandbox.requests.clear()
        data = look(definitions, "less_annoying_crm_changes", here.instance)
    assert data.skip_message
    assert data.skip_message.startswith("contacts: 5 pages show nothing newer")
    assert len(sandbox.requests) == 6


def test_nothing_is_asked_before_the_first_load(house: Build, connections: Connections) -> None:
    here = house(connections["service_crm"])
    definitions = definitions_of(list(here.connections.values()), here.warehouse)
    data = look(definitions, "service_crm_changes", here.instance)
    assert data.skip_message == (
        "Nothing of service_crm that is read incrementally is loaded yet; run service_crm_lists."
    )
    assert not len(here.sandbox.requests)


def test_nothing_is_asked_while_a_run_is_under_way(house_with: HouseWith, connections: Connections) -> None:
    here, definitions = loaded(house_with, connections["service_crm"])
    here.sandbox.state = 1
    here.sandbox.requests.clear()
    job = definitions.resolve_job_def("service_crm_lists")
    run = here.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    data = look(definitions, "service_crm_changes", here.instance)
    assert data.skip_message == "A run of service_crm_lists is not finished; changes are asked for after it."
    assert not len(here.sandbox.requests)
    here.instance.report_run_canceled(run)
    assert look(definitions, "service_crm_changes", here.instance).run_requests


def test_a_busy_warehouse_is_left_alone(house_with: HouseWith, connections: Connections) -> None:
    here, definitions = loaded(house_with, connections["service_crm"])
    with FileLock(here.folder / "warehouse.lock"):
        data = look(definitions, "service_crm_changes", here.instance)
    assert data.skip_message
    assert data.skip_message.startswith("service_crm was not asked for changes. Another run has been writing")


def test_what_cannot_be_asked_is_told_without_secrets(
    house_with: HouseWith, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, definitions = loaded(house_with, connections["service_crm"])
    here.sandbox.state = 1
    monkeypatch.setenv("SOURCES__SERVICE_CRM__API_KEY", "wrong-key-4711")
    data = look(definitions, "service_crm_changes", here.instance)
    assert data.skip_message
    assert "401" in data.skip_message
    assert "4711" not in data.skip_message
    monkeypatch.delenv("SOURCES__SERVICE_CRM__API_KEY")
    data = look(definitions, "service_crm_changes", here.instance)
    assert data.skip_message
    assert "SOURCES__SERVICE_CRM__API_KEY" in data.skip_message


def test_one_resource_that_fails_hides_no_others_change(house_with: HouseWith, connections: Connections) -> None:
    here, definitions = loaded(house_with, connections["service_crm"])
    here.sandbox.state = 1
    here.sandbox.faults.push(Fault("status", connection="service_crm", resource="tickets", status=500))
    (request,) = look(definitions, "service_crm_changes", here.instance).run_requests or []
    assert request.asset_selection == [dg.AssetKey(["service_crm", "invoices"])]
    assert len([one for one in here.sandbox.requests.of("service_crm", "tickets") if one.status == 500]) == 1


def test_an_example_address_is_not_asked(house_with: HouseWith, connections: Connections) -> None:
    here, _ = loaded(house_with, connections["service_crm"])
    definitions = definitions_of([connections["service_crm"]], here.warehouse)
    data = look(definitions, "service_crm_changes", here.instance)
    assert data.skip_message
    assert "example address" in data.skip_message


def test_only_connections_with_cursors_have_a_sensor(connections: Connections) -> None:
    repository = definitions_of([scheduled(one) for one in connections.values()]).get_repository_def()
    names = {sensor.name for sensor in repository.sensor_defs}
    assert names == {*(f"{name}_changes" for name in CURSORS), "crm_alerts", "crm_abandoned_runs"}


def test_the_cursor_is_small_and_readable(house_with: HouseWith, connections: Connections) -> None:
    here, definitions = loaded(house_with, connections["service_crm"])
    here.sandbox.state = 1
    data = look(definitions, "service_crm_changes", here.instance)
    assert set(json.loads(data.cursor or "")) == {"tickets", "invoices"}
