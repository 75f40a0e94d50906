"""One materialization per connection and worker, which all assertions about its resources share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import duckdb
import pytest

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets_tests.conftest import only
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.fixtures import HOUSES
from crm_assets_tests.installation import TODAY, Installation, Result, Row, all_connections, dates
from crm_assets_tests.reliability import LONG, times

DAYS = dates(TODAY - timedelta(days=times(10, 30) - 1))
"""The days that are read of lists with windows."""
Load = Callable[[str], "Loaded"]


def one_of_each_way(*connections: Connection) -> dict[str, set[str]]:
    """Return one list for each way to read any, with its parents, by connection; in the long variant all of them."""
    found: dict[object, tuple[str, set[str]]] = {}
    for connection in connections:
        for resource in connection.system.resources:
            endpoint, window, parent = resource.endpoint, resource.window, resource.parent
            days = (window.per_partition, window.include_undated) if window else ()
            way = (endpoint.paginator.type, days, resource.incremental is None, parent is None)
            lists = {resource.name, *([parent.resource] if parent else [])}
            found.setdefault((connection.name, resource.name) if LONG else way, (connection.name, lists))
    chosen: dict[str, set[str]] = {}
    for name, lists in found.values():
        chosen.setdefault(name, set()).update(lists)
    return chosen


def _told_apart() -> Iterator[Connection]:
    """Yield all connections; of one whose lists are all declared as those of another, one list for each way."""
    known: list[Resource] = []
    for connection in all_connections():
        repeated = all(resource in known for resource in connection.system.resources)
        yield only(connection, *one_of_each_way(connection)[connection.name]) if repeated else connection
        known += connection.system.resources


CONNECTIONS = (*_told_apart(),)


@dataclass
class Loaded:
    """An installation after a connection was read once, windows as one range."""

    house: Installation
    results: list[Result]
    statuses: list[int | None]
    """Statuses of all answers."""
    _opened: list[duckdb.DuckDBPyConnection] = field(default_factory=list)

    def query(self, sql: str) -> list[Row]:
        """Return the rows of a query over the warehouse; a file stays open until it is loaded again."""
        if self.house.destination != "duckdb":
            return self.house.query(sql)
        if not self._opened:
            self._opened.append(duckdb.connect(str(self.house.warehouse.database)))
        rows: list[Row] = self._opened[0].sql(sql).to_arrow_table().to_pylist()
        return rows

    def load_again(self, resources: Collection[str]) -> list[Result]:
        """Read these lists of the connection once more."""
        while self._opened:
            self._opened.pop().close()
        return read(self.house, resources)


@pytest.fixture(scope="session")
def load(
    request: pytest.FixtureRequest,
    served: tuple[FaultySandbox, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Load:
    """Return a function that reads a connection when it is first asked for."""
    kept: dict[str, Loaded] = {}
    connections = {connection.name: connection for connection in CONNECTIONS}
    destination = request.config.getoption("--destination")
    if destination == "postgres":
        request.getfixturevalue("postgres")

    def loaded(name: str) -> Loaded:
        if name not in kept:
            folder = tmp_path_factory.mktemp(name) / "data"
            kept[name] = read_once(HOUSES[destination](*served, folder, [connections[name]], destination=destination))
        return kept[name]

    return loaded


def read_once(house: Installation) -> Loaded:
    """Read the only connection of an installation."""
    (name,) = house.connections
    house.sandbox.requests.clear()
    results = read(house)
    return Loaded(house, results, [entry.status for entry in house.sandbox.requests.of(name)])


def read(house: Installation, resources: Collection[str] | None = None) -> list[Result]:
    """Read some lists of the only connection, or all."""
    return house.load(*house.connections, (DAYS[0].isoformat(), DAYS[-1].isoformat()), resources)
