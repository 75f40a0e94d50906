"""Every resource of every declaration: read to its end, loaded as it is, typed as declared, checked green."""

from __future__ import annotations

from datetime import timedelta
from math import ceil

import pytest

from crm_assets.commands.export_dlt import rest_api
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.paginator import SinglePage
from crm_assets.orchestration.checks import check_specs
from crm_assets.sandbox import sandbox_secrets
from crm_assets.sandbox.paging import DEFAULT_SIZE
from crm_assets_tests.conformance.conftest import CONNECTIONS, DAYS, Load, one_of_each_way
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import failure
from crm_assets_tests.postgres import COLUMN_TYPES
from crm_assets_tests.reliability import kinds

ALL = [pytest.param(one.name, id=one.name) for one in CONNECTIONS]
EACH = [
    pytest.param(one.name, resource.name, id=f"{one.name}-{resource.name}")
    for one in CONNECTIONS
    for resource in one.system.resources
]
AGAIN = one_of_each_way(*(one for one in CONNECTIONS if one.name in kinds(one.name for one in CONNECTIONS)))
"""What is read twice, by connection."""
DUCKDB_TYPES = {
    "text": "VARCHAR",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "decimal": "DECIMAL(38,9)",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "json": "JSON",
}
TYPES = {"duckdb": DUCKDB_TYPES, "ducklake": DUCKDB_TYPES, "postgres": COLUMN_TYPES}
OURS = {
    "_extra": ("json", "YES"),
    "_misfits": ("json", "YES"),
    "_read_id": ("text", "NO"),
    **dict.fromkeys(("_deleted_at", "_first_seen_at", "_changed_at"), ("timestamp", "YES")),
}


@pytest.mark.parametrize("connection", ALL)
def test_dlt_accepts_the_declaration(connections: dict[str, Connection], connection: str) -> None:
    source = rest_api(connections[connection], sandbox_secrets(connections[connection]))
    assert set(source.resources) == {resource.name for resource in connections[connection].system.resources}


@pytest.mark.parametrize("connection", ALL)
def test_all_runs_succeed_and_all_requests_are_understood(load: Load, connection: str) -> None:
    loaded = load(connection)
    assert all(result.success for result in loaded.results)
    assert set(loaded.statuses) == {200}


@pytest.mark.parametrize(("connection", "resource"), EACH)
def test_every_list_is_walked_to_its_end(load: Load, connection: str, resource: str) -> None:
    loaded = load(connection)
    house = loaded.house
    declared = house.resources(connection)[resource]
    (read,) = loaded.query(f"SELECT * FROM {connection}._reads WHERE resource = '{resource}'")
    parents = len(house.truth(connection, declared.parent.resource)) if declared.parent else 1
    windows = len(DAYS) if declared.window and declared.window.per_partition else 1
    include_undated = parents if declared.window and declared.window.include_undated else 0
    assert read["complete"]
    assert read["reason"]
    assert read["mode"] == ("window" if declared.window else "full_refresh")
    assert read["lists"] == parents * windows + include_undated
    assert read["pages"] >= read["lists"]
    assert read["retries"] == 0
    paginator = declared.endpoint.paginator
    if not isinstance(paginator, SinglePage) and not declared.parent and not declared.window:
        assert read["pages"] >= ceil(len(house.truth(connection, resource)) / (paginator.limit or DEFAULT_SIZE))


@pytest.mark.parametrize(("connection", "resource"), EACH)
def test_the_table_holds_what_the_api_holds(load: Load, connection: str, resource: str) -> None:
    house = load(connection).house
    window = house.resources(connection)[resource].window
    padding = timedelta(days=window.padding_days if window else 0)
    expected = house.truth(connection, resource, DAYS[0] - padding, DAYS[-1] + padding)
    assert expected, "the test has to see rows"
    assert house.table(connection, resource) == expected


@pytest.mark.parametrize(("connection", "resource"), EACH)
def test_every_row_has_its_own_key(load: Load, connection: str, resource: str) -> None:
    loaded = load(connection)
    key = ", ".join(loaded.house.resources(connection)[resource].primary_key)
    (counted,) = loaded.query(
        f"SELECT count(*) AS rows, count(DISTINCT ({key})) FILTER (WHERE ({key}) IS NOT NULL) AS keys "
        f"FROM {connection}.{resource}"
    )
    assert counted["rows"] == counted["keys"] > 0


@pytest.mark.parametrize(("connection", "resource"), EACH)
def test_columns_have_the_declared_types(load: Load, connection: str, resource: str) -> None:
    loaded = load(connection)
    declared = loaded.house.resources(connection)[resource]
    found = loaded.query(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
        f"WHERE table_schema = '{connection}' AND table_name = '{resource}' AND NOT starts_with(column_name, '_dlt')"
    )
    expected = {
        name: (column.type.value, "YES" if column.nullable and name not in declared.primary_key else "NO")
        for name, column in declared.columns.items()
    }
    types = TYPES[loaded.house.destination]
    assert {row["column_name"]: (row["data_type"], row["is_nullable"]) for row in found} == {
        name: (types[kind], nullable) for name, (kind, nullable) in {**expected, **OURS}.items()
    }


@pytest.mark.parametrize(("connection", "resource"), EACH)
def test_nothing_is_left_over(load: Load, connection: str, resource: str) -> None:
    loaded = load(connection)
    (left,) = loaded.query(
        f"SELECT count(_extra) AS extra, count(_misfits) AS misfits, count(_deleted_at) AS deleted "
        f"FROM {connection}.{resource}"
    )
    assert left == {"extra": 0, "misfits": 0, "deleted": 0}
    named = f"table_schema = '{connection}' AND table_name = '{resource}__rejected'"
    assert loaded.query(f"SELECT 1 FROM information_schema.tables WHERE {named}") == []


@pytest.mark.parametrize(("connection", "resource"), EACH)
def test_all_checks_are_green(load: Load, connection: str, resource: str) -> None:
    found = {
        one.check_name: (one.passed, one.description)
        for result in load(connection).results
        for one in result.get_asset_check_evaluations()
        if one.asset_key.path == [connection, resource]
    }
    house = load(connection).house
    specs = check_specs(house.connections[connection], house.resources(connection)[resource])
    assert found.keys() == {spec.name for spec in specs}
    assert all(found[name][0] for name in ("schema", "primary_key", "completeness")), found


@pytest.mark.parametrize("connection", AGAIN)
def test_reading_again_changes_nothing(load: Load, sandbox: FaultySandbox, connection: str) -> None:
    loaded = load(connection)
    house = loaded.house
    before = house.snapshot(connection)
    again = loaded.load_again(AGAIN.get(connection) or house.resources(connection))
    assert [failure(result) for result in again if not result.success] == []
    assert house.snapshot(connection) == before
