"""Every resource of every packaged system and vendor profile is served completely and exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from crm_assets.declarations import Connection, available_systems, load_connections, load_system
from crm_assets_tests.faults import FaultySandbox, serve
from crm_assets_tests.sandbox.conftest import TODAY, World

LISTS = [(name, resource.name) for name in available_systems() for resource in load_system(name).resources]


@pytest.fixture(scope="module")
def connections(tmp_path_factory: pytest.TempPathFactory) -> tuple[Connection, ...]:
    """One connection per system, with the examples of its parameters."""
    path = tmp_path_factory.mktemp("packaged") / "connections.yaml"
    entries = [{"name": name, "system": name, "params": _examples(name)} for name in available_systems()]
    path.write_text(yaml.safe_dump({"connections": entries}))
    return load_connections(path)


def _examples(system: str) -> dict[str, str]:
    return {key: each.example for key, each in load_system(system).params.items() if each.default is None}


@pytest.fixture(scope="module")
def packaged(connections: tuple[Connection, ...]) -> Iterator[World]:
    sandbox = FaultySandbox(connections, today=TODAY)
    with serve(sandbox) as base_url:
        yield World(sandbox, base_url)


@pytest.mark.parametrize("state", [0, 2])
@pytest.mark.parametrize(("connection", "name"), LISTS)
def test_reading_a_list_gives_exactly_the_rows(packaged: World, connection: str, name: str, state: int) -> None:
    packaged.sandbox.state = state
    resource = packaged.connection(connection).system.resource(name)
    truth = packaged.sandbox.rows(connection, name)
    parents: list[dict[str, Any]] = [{}]
    if resource.parent:
        rows = packaged.sandbox.rows(connection, resource.parent.resource)
        parents = [{resource.parent.placeholder: row[resource.parent.field]} for row in rows]
    read = [row for given in parents for row in packaged.reader(connection, name, **given).rows()]
    assert len(read) > 1
    assert read == truth
    keys = [tuple(row[key] for key in resource.primary_key) for row in read]
    assert len(set(keys)) == len(keys)
