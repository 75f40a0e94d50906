"""One materialization per connection and worker, which all assertions about its resources share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from crm_assets.declarations.models.connection import Connection
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import Installation, Result

Load = Callable[[str], "Loaded"]


@dataclass
class Loaded:
    """An installation after a connection was read once, windows as one range."""

    house: Installation
    results: list[Result]
    statuses: list[int | None]
    """Statuses of all answers."""


@pytest.fixture(scope="session")
def load(
    served: tuple[FaultySandbox, str], connections: dict[str, Connection], tmp_path_factory: pytest.TempPathFactory
) -> Load:
    """Return a function that reads a connection when it is first asked for."""
    kept: dict[str, Loaded] = {}
    sandbox, _ = served

    def loaded(name: str) -> Loaded:
        if name not in kept:
            sandbox.requests.clear()
            house = Installation(*served, tmp_path_factory.mktemp(name) / "data", [connections[name]])
            results = house.load(name)
            kept[name] = Loaded(house, results, [entry.status for entry in sandbox.requests.of(name)])
        return kept[name]

    return loaded
