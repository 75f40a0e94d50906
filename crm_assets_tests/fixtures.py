"""The fixtures of all tests: one served sandbox, and installations to read it with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import dagster as dg
import pytest

from crm_assets.commands.dagster_home import open_instance
from crm_assets.commands.local_postgres import local_postgres
from crm_assets.declarations.models.connection import Connection
from crm_assets.sandbox import sandbox_environment
from crm_assets.sandbox.people import person
from crm_assets_tests.conftest import Build, HouseWith
from crm_assets_tests.faults import FaultySandbox, serve
from crm_assets_tests.installation import START, TODAY, Installation, all_connections, close_abandoned
from crm_assets_tests.lake import LakeHouse
from crm_assets_tests.postgres import URL, PostgresHouse, new_database

HOUSES: dict[str, type[Installation]] = {"duckdb": Installation, "postgres": PostgresHouse, "ducklake": LakeHouse}
"""Installations by destination."""
FolderWith = Callable[[Connection], Path]


@pytest.fixture(autouse=True)
def _no_instance_left_open() -> Iterator[None]:
    yield
    close_abandoned()


@pytest.fixture(scope="session")
def connections() -> dict[str, Connection]:
    """One account at every declared system, by name."""
    return {connection.name: connection for connection in all_connections()}


@pytest.fixture(scope="session")
def served(connections: dict[str, Connection]) -> Iterator[tuple[FaultySandbox, str]]:
    """A sandbox of all of them and its address, their secrets in the environment."""
    sandbox = FaultySandbox(connections.values(), rows=45, start=START, today=TODAY)
    for number in range(4):
        person(number)  # imports Faker now, and not while an impatient test waits for its first page
    with serve(sandbox) as base_url, pytest.MonkeyPatch.context() as environment:
        for name, value in sandbox_environment(connections.values(), base_url).items():
            if name != "CRM_ASSETS_SANDBOX":
                environment.setenv(name, value)
        yield sandbox, base_url


@pytest.fixture
def sandbox(served: tuple[FaultySandbox, str]) -> Iterator[FaultySandbox]:
    """The sandbox, put back in order after each test."""
    yield served[0]
    served[0].reset()


@pytest.fixture(scope="session")
def folder_with(served: tuple[FaultySandbox, str], tmp_path_factory: pytest.TempPathFactory) -> FolderWith:
    """Return a function that gives a data folder into which a connection was read, for tests to copy."""
    kept: list[tuple[Connection, Path]] = []

    def folder(connection: Connection) -> Path:
        for known, its_folder in kept:
            if known == connection:
                return its_folder
        first = read_first(Installation(*served, tmp_path_factory.mktemp(connection.name) / "data", [connection]))
        kept.append((connection, first.folder))
        return first.folder

    return folder


@pytest.fixture
def house_with(house: Build, folder_with: FolderWith, tmp_path: Path, destination: str) -> HouseWith:
    """Return a function that builds an installation into which a connection was read, by runs that it does not know."""

    def build(connection: Connection, folder: Path | None = None) -> Installation:
        if destination != "duckdb":
            return read_first(house(connection, folder=folder))
        return house(connection, folder=Path(copytree(folder_with(connection), folder or tmp_path / "data")))

    return build


def read_first(house: Installation) -> Installation:
    """Read all connections of an installation as they are before anything changes, and return it."""
    house.sandbox.state, state = 0, house.sandbox.state
    assert all(result.success for name in house.connections for result in house.load(name))
    house.sandbox.state = state
    return house


@pytest.fixture
def paging(house_with: HouseWith, connections: dict[str, Connection]) -> Installation:
    """An installation into which the connection ``paging`` was read."""
    return house_with(connections["paging"])


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server of this worker, as dlt's configuration names it; gives its URL."""
    with local_postgres() as url, pytest.MonkeyPatch.context() as environment:
        environment.setenv(URL, url)
        yield url


@pytest.fixture
def own_database(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty database of this server, as dlt's configuration names it for one test; gives its URL."""
    with new_database(postgres) as url:
        monkeypatch.setenv(URL, url)
        yield url


@pytest.fixture(scope="session")
def dagster_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an instance that was opened once, for tests to copy: Dagster takes seconds to make them."""
    folder = tmp_path_factory.mktemp("dagster")
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DAGSTER_HOME", str(folder))
        with open_instance(folder):
            return folder


@pytest.fixture
def stored_instance(
    dagster_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """The instance that all commands open, its files in the folder ``home``."""
    monkeypatch.setenv("DAGSTER_HOME", copytree(dagster_files, str(tmp_path / "home")))
    with open_instance(tmp_path / "data") as instance:
        yield instance


@pytest.fixture
def destination(request: pytest.FixtureRequest) -> str:
    """The destination of the houses of a test; tests that are run against several give it as a parameter."""
    name = str(getattr(request, "param", request.config.getoption("--destination")))
    if name == "postgres":
        request.getfixturevalue("postgres")
    return name


@pytest.fixture
def house(
    sandbox: FaultySandbox,
    served: tuple[FaultySandbox, str],
    connections: dict[str, Connection],
    tmp_path: Path,
    destination: str,
) -> Iterator[Build]:
    """Return a function that builds an installation of some connections, given by name or as they are."""

    def build(*chosen: str | Connection, folder: Path | None = None, **given: Any) -> Installation:
        found = [connections[one] if isinstance(one, str) else one for one in chosen]
        given = {"destination": destination, **given}
        built.append(HOUSES[given["destination"]](sandbox, served[1], folder or tmp_path / "data", found, **given))
        return built[-1]

    built: list[Installation] = []
    yield build
    for house in built:
        house.clear()
