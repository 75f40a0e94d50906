"""The data: realistic, consistent between systems, the same in every process, and changing from day to day."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from crm_assets.declarations import ColumnType, Connection, load_connections
from crm_assets.sandbox.times import EPOCH
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.sandbox.conftest import START, TODAY, World

PYTHON_TYPES = {
    ColumnType.TEXT: str,
    ColumnType.BIGINT: int,
    ColumnType.DOUBLE: float,
    ColumnType.BOOL: bool,
    ColumnType.TIMESTAMP: datetime,
    ColumnType.DATE: date,
}


def everything(sandbox: FaultySandbox) -> dict[str, list[dict[str, object]]]:
    return {
        f"{name}.{resource.name}": sandbox.rows(name, resource.name)
        for name, connection in sandbox.connections.items()
        for resource in connection.system.resources
    }


def test_values_have_the_declared_types_and_nulls_only_where_allowed(world: World) -> None:
    nulls = 0
    for connection in world.sandbox.connections.values():
        for resource in connection.system.resources:
            rows = world.sandbox.rows(connection.name, resource.name)
            for name, column in resource.columns.items():
                values = [row[name] for row in rows]
                nulls += values.count(None)
                assert column.nullable or None not in values, (resource.name, name)
                kind = PYTHON_TYPES.get(column.type)
                assert kind is None or all(type(value) is kind for value in values if value is not None), name
    assert nulls > 50


def test_keys_are_unique_and_shaped_like_their_examples(world: World) -> None:
    keys = [row["id"] for row in world.sandbox.rows("shop", "log")]
    assert len(set(keys)) == len(keys)
    assert {len(key) for key in keys} == {31}
    assert world.sandbox.rows("shop", "companies")[0]["id"] == "15-companies"
    assert [row["id"] for row in world.sandbox.rows("shop", "orders")][:3] == [1, 2, 3]


def test_references_point_at_rows_that_exist(world: World) -> None:
    people = world.sandbox.rows("shop", "people")
    companies = {row["id"] for row in world.sandbox.rows("shop", "companies")}
    assert {row["company_id"] for row in people} - {None} <= companies
    orders = {row["person_id"] for row in world.sandbox.rows("shop", "orders")} - {None}
    assert orders <= {row["id"] for row in people}
    assert len(orders) > 10
    leads = {(row["site_id"], row["id"]) for row in world.sandbox.rows("tracker", "leads")}
    visits = world.sandbox.rows("tracker", "visits")
    assert {(row["site_id"], row["lead_id"]) for row in visits if row["lead_id"]} <= leads


def test_columns_that_overlap_on_the_wire_agree(world: World) -> None:
    for row in world.sandbox.rows("shop", "people"):
        assert row["links"]["company"]["id"] == row["company_id"]
    leads = world.sandbox.rows("tracker", "leads")
    places = {row["place_id"]: (row["city"], row["country"]) for row in leads}
    assert [row["relationships"]["location"]["data"]["id"] for row in leads] == [row["place_id"] for row in leads]
    assert [(row["city"], row["country"]) for row in leads] == [places[row["place_id"]] for row in leads]


def test_parents_are_few_and_each_has_children(world: World) -> None:
    sites = [row["id"] for row in world.sandbox.rows("tracker", "sites")]
    assert len(sites) == 3
    for resource in ("leads", "visits"):
        rows = world.sandbox.rows("tracker", resource)
        assert [row for site in sites for row in world.sandbox.rows("tracker", resource, parent=site)] == rows
        assert {row["site_id"] for row in rows} == set(sites)


def test_the_same_people_are_in_several_systems(packaged: tuple[Connection, ...]) -> None:
    sandbox = FaultySandbox(packaged, today=TODAY)
    names: dict[str, set[tuple[object, object]]] = {}
    for name, rows in everything(sandbox).items():
        for row in rows:
            if {"first_name", "last_name", "email"} <= set(row) and isinstance(row["email"], str):
                names.setdefault(row["email"], set()).add((row["first_name"] or "", name.split(".")[0]))
    shared = [{system for _, system in each} for each in names.values() if len({s for _, s in each}) > 1]
    assert len(shared) > 20
    assert all(len({first for first, _ in each if first}) <= 1 for each in names.values())


def test_the_same_arguments_give_the_same_data_in_every_process(tmp_path: Path) -> None:
    code = """
import sys
from datetime import date
from pathlib import Path
from crm_assets_tests.sandbox.conftest import load_own
from crm_assets_tests.sandbox.test_rows import everything, START, TODAY
from crm_assets_tests.faults import FaultySandbox
sandbox = FaultySandbox(load_own(Path(sys.argv[1])), start=START, today=TODAY, state=2)
print(repr(everything(sandbox)))
"""
    told = []
    for seed in ("0", "4711"):
        folder = tmp_path / seed
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = [sys.executable, "-c", code, str(folder)]
        told.append(subprocess.run(run, env=environment, capture_output=True, check=True, text=True).stdout)
    assert told[0] == told[1]
    assert len(told[0]) > 10_000


def test_another_seed_gives_other_data(world: World, connections: tuple[Connection, ...]) -> None:
    other = FaultySandbox(connections, start=START, today=TODAY, seed=8)
    assert other.rows("shop", "people") != world.sandbox.rows("shop", "people")


def test_nothing_is_made_before_it_is_asked_for(connections: tuple[Connection, ...]) -> None:
    begun = time.perf_counter()
    sandbox = FaultySandbox(connections, rows=100_000, today=TODAY)
    assert time.perf_counter() - begun < 0.2
    assert len(sandbox.rows("shop", "tags")) > 10_000


def test_a_day_changes_adds_and_deletes_rows(world: World) -> None:
    before = {row["id"]: row for row in world.sandbox.rows("desk", "changes")}
    world.sandbox.state = 1
    after = {row["id"]: row for row in world.sandbox.rows("desk", "changes")}
    begin = datetime(2026, 3, 31, tzinfo=world.connection("desk").zone)
    end = begin + timedelta(days=1)
    new = [after[key] for key in after.keys() - before.keys()]
    gone = before.keys() - after.keys()
    changed = [key for key in after.keys() & before.keys() if after[key] != before[key]]
    assert new
    assert gone
    assert changed
    assert min(row["id"] for row in new) > max(before)
    assert all(begin <= row["created_at"] <= row["updated_at"] < end for row in new)
    for key in changed:
        assert begin <= after[key]["updated_at"] < end
        assert after[key]["status"] != before[key]["status"]
        assert after[key]["created_at"] == before[key]["created_at"]
    world.sandbox.state = 0
    assert {row["id"]: row for row in world.sandbox.rows("desk", "changes")} == before


def test_requests_see_the_state_at_once_and_a_cursor_finds_what_is_new(world: World) -> None:
    before = world.sandbox.rows("desk", "changes")
    world.sandbox.state = 2
    reader = world.reader("desk", "changes", True, **{"incremental.start_value": "2026-03-31T00:00:00"})
    read = reader.rows()
    assert read
    zone = world.connection("desk").zone
    assert {row["updated_at"].astimezone(zone).day for row in read} == {31, 1}
    assert world.reader("desk", "changes").rows() == world.sandbox.rows("desk", "changes") != before


def test_days_pass_for_children_and_windows_too(world: World) -> None:
    sites = len(world.sandbox.rows("tracker", "sites"))
    world.sandbox.state = 3
    assert len(world.sandbox.rows("tracker", "sites")) == sites + 3
    tomorrow = TODAY + timedelta(days=1)
    assert any(row["day"] >= tomorrow for row in world.sandbox.rows("tracker", "visits"))
    for site in world.sandbox.rows("tracker", "sites"):
        read = world.reader("tracker", "leads", site_id=site["id"]).rows()
        assert read == world.sandbox.rows("tracker", "leads", parent=site["id"])


def test_a_row_can_be_told_as_json(world: World) -> None:
    for row in world.sandbox.rows("shop", "people"):
        json.dumps(row["links"])


@pytest.fixture(scope="module")
def packaged() -> tuple[Connection, ...]:
    """The connections file of the repository."""
    return load_connections(Path(__file__).parents[2] / "connections.yaml")


def test_a_day_later_nothing_is_in_the_future(packaged: tuple[Connection, ...]) -> None:
    sandbox = FaultySandbox(packaged, rows=8, state=1)
    (chosen,) = (one for one in packaged if one.name == "service_crm")
    for resource in chosen.system.resources:
        table = sandbox.table(chosen.name, resource.name)
        assert len(table.records(1)) > 0, resource.name
        moments = [row.moment for row in table.days[1] if row.moment]
        assert max(moments, default=EPOCH) < datetime.now(timezone.utc), resource.name
