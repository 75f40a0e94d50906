"""A small API whose records a test changes between syncs, and an installation that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from crm_assets.declarations.connections import load_connections
from crm_assets_tests import loopback
from crm_assets_tests.conftest import Build
from crm_assets_tests.installation import Installation, Row

Answer = Callable[[str, dict[str, str]], Any]
"""Returns the JSON body for a path and its query, or a status."""


@dataclass
class Heard:
    """One request."""

    path: str
    query: dict[str, str]


@dataclass
class LivingApi:
    """An API, and the installation that reads it as the connection ``desk``."""

    installation: Installation
    heard: list[Heard] = field(default_factory=list)

    def sync(self, *resources: str, **given: Any) -> list[Heard]:
        """Read resources, all without a window by default; return the requests that took, the run having succeeded.

        Checks take as long as the load of a few rows; ``complaints`` runs the one that is looked at.
        """
        names = resources or tuple(self.installation.resources("desk"))
        self.heard.clear()
        result = self.installation.materialize(*(f"desk/{name}" for name in names), checks=False, **given)
        assert result.success, [event.step_failure_data for event in result.get_step_failure_events()]
        return list(self.heard)

    def ids(self, resource: str) -> list[int]:
        """Return the loaded keys that are not marked as deleted."""
        return [row["id"] for row in self.rows(resource) if row["_deleted_at"] is None]

    def rows(self, resource: str) -> list[Row]:
        """Return the loaded rows."""
        return self.installation.query(f"SELECT * FROM desk.{resource} ORDER BY id")

    def complaints(self, resource: str) -> str:
        """Return what the completeness check says if it does not pass."""
        check = self.installation.check(f"desk/{resource}", "completeness")["completeness"]
        return "" if check.passed else str(check.description)


def listing(name: str, columns: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a resource with a key ``id`` and its list at ``items``."""
    endpoint = {
        "path": f"/{name}",
        "data_selector": "items",
        "paginator": "single_page",
        "error_handler": {"max_retries": 0, "ignore_status_codes": [403]},
        **more.pop("endpoint", {}),
    }
    columns = {"id": {"type": "bigint", "nullable": False}, **(columns or {})}
    return {"name": name, "primary_key": "id", "endpoint": endpoint, "columns": columns, **more}


@contextmanager
def living_api(
    house: Build,
    folder: Path,
    answer: Answer,
    *resources: dict[str, Any],
    system_params: dict[str, Any] | None = None,
    **connection: Any,
) -> Iterator[LivingApi]:
    """Serve an API that answers by a function, and give an installation for it."""
    heard: list[Heard] = []

    def reply(asked: loopback.Asked) -> loopback.Answer:
        heard.append(Heard(asked.path, asked.query))
        said = answer(asked.path, asked.query)
        return loopback.Answer(said, said if isinstance(said, int) else 200)

    (folder / "systems").mkdir(exist_ok=True)
    client = {"base_url": "https://desk.example", "auth": {"type": "bearer"}}
    system = {"title": "Desk", "description": "A desk.", "client": client, "resources": list(resources)}
    system |= {"params": system_params} if system_params else {}
    (folder / "systems" / "desk.yaml").write_text(yaml.safe_dump(system), encoding="utf-8")
    entry = {"name": "desk", "system": "desk", "base_url": "https://desk.example", **connection}
    (folder / "connections.yaml").write_text(
        yaml.safe_dump({"systems": "systems", "connections": [entry]}), encoding="utf-8"
    )
    (declared,) = load_connections(folder / "connections.yaml")
    with loopback.loopback(reply) as base_url:
        yield LivingApi(house(declared, base_url=base_url), heard)
