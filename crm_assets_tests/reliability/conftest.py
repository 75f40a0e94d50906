"""Jobs for victims, and what a warehouse must hold after undisturbed runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.assets import connection_assets
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.fixtures import HOUSES
from crm_assets_tests.installation import Installation
from crm_assets_tests.reliability.killed_runs import Job

MakeJob = Callable[..., Job]


@pytest.fixture
def job(
    sandbox: FaultySandbox,
    served: tuple[FaultySandbox, str],
    connections: dict[str, Connection],
    tmp_path: Path,
    destination: str,
) -> MakeJob:
    """Return a function that makes the job of reading a connection, given by name or as it is."""
    secrets = {name: value for name, value in os.environ.items() if name.startswith(("SOURCES__", "DESTINATION__"))}

    def make(connection: str | Connection, folder: Path | None = None, **given: Any) -> Job:
        chosen = connections[connection] if isinstance(connection, str) else connection
        given = {"destination": destination, **given}
        return Job(chosen, served[1], folder or tmp_path / "data", secrets, **given)

    return make


def own_house(connection: Connection, folder: Path, destination: str = "duckdb") -> Installation:
    """Return an installation of one connection that is served elsewhere than in the sandbox."""
    house = HOUSES[destination](FaultySandbox([]), "", folder / "data", (), destination=destination)
    house.connections = {connection.name: connection}
    house.assets = [*connection_assets(connection, house.warehouse)]
    return house
