"""Every resource of every packaged connection is served completely and exactly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_assets.sandbox import Sandbox, serve
from crm_assets.spec import Connection, load_connections
from crm_assets_tests.sandbox.conftest import TODAY, World

CONNECTIONS: tuple[Connection, ...] = load_connections(Path(__file__).parents[2] / "connections.yaml")
LISTS = [(each.name, resource.name) for each in CONNECTIONS for resource in each.system.resources]


@pytest.fixture(scope="module")
def packaged() -> Iterator[World]:
    sandbox = Sandbox(CONNECTIONS, today=TODAY)
    with serve(sandbox) as base_url:
        yield World(sandbox, base_url)


@pytest.mark.parametrize(("connection", "name"), LISTS)
def test_reading_a_list_gives_exactly_the_rows(packaged: World, connection: str, name: str) -> None:
    resource = packaged.connection(connection).system.resource(name)
    truth = packaged.sandbox.rows(connection, name)
    parents = [{}]
    if resource.parent:
        rows = packaged.sandbox.rows(connection, resource.parent.resource)
        parents = [{resource.parent.bind: row[resource.parent.field]} for row in rows]
    read = [row for given in parents for row in packaged.reader(connection, name, **given).rows()]
    assert len(read) > 1
    assert read == truth
