"""A served sandbox in a process of its own, and the environment of a person who uses it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml

from crm_assets.declarations.connections import load_connections
from crm_assets.sandbox import sandbox_environment
from crm_assets_tests.faults import FaultySandbox, serve
from crm_assets_tests.forks import typed

ROOT = Path(__file__).parents[2]
SERVICE = ["appointment_types", "appointments", "customers", "tickets"]
LISTS = {
    "contact_crm": ["contacts", "tasks", "users"],
    "sales_crm": ["accounts", "contacts", "products"],
    "service_crm": SERVICE,
    "repairshopr": SERVICE,
}
"""What is read of systems with many lists."""


@dataclass(frozen=True)
class Desk:
    """Where a person types: the checkout, with an environment that points at the sandbox."""

    environment: dict[str, str]
    data: Path
    sandbox: FaultySandbox

    def types(self, command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command line as a shell would."""
        return typed(command, folder=ROOT, environment=self.environment, timeout=timeout)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    connections = folder / "connections.yaml"
    connections.write_text(_with_few_lists(_recent((ROOT / "connections.yaml").read_text() + _readme_connection())))
    sandbox = FaultySandbox(load_connections(connections), rows=12)
    home = folder / "dagster"
    home.mkdir()
    with serve(sandbox) as url:
        own = sandbox_environment(load_connections(connections), url)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("SOURCES__", "DAGSTER"))
        }
        environment |= own | {
            "CRM_ASSETS_CONNECTIONS": str(connections),
            "CRM_ASSETS_DATA": str(folder / "data"),
            "DAGSTER_HOME": str(home),
            "DAGSTER_DISABLE_TELEMETRY": "true",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "160",
        }
        yield Desk(environment, folder / "data", sandbox)


def _readme_connection() -> str:
    """Return the connection the README adds, as it stands there."""
    return "\n" + (ROOT / "README.md").read_text().split("```yaml\nconnections:\n", 1)[1].split("```", 1)[0]


def _with_few_lists(connections: str) -> str:
    """Leave those lists to the accounts that the pages name, of each kind: in full, in increments and in windows."""
    document = yaml.safe_load(connections)
    for account in document["connections"]:
        if kept := LISTS.get(account["system"]):
            account["resources"] = kept
    return yaml.safe_dump(document)


def _recent(connections: str) -> str:
    """Let accounts start ten days ago, and the one the README reads earlier days of on the first of these.

    Dagster stores two events for every day since then, so the commands would take longer from day to day.
    """
    start = datetime.now(timezone.utc).date() - timedelta(days=10)
    (read,) = re.findall(r"'group:(\w+)' --from ([\d-]+)", (ROOT / "README.md").read_text())
    starts = re.compile(rf"(?<!{read[0]}, )start_date: [\d-]+")
    assert len(starts.findall(connections)) > 1
    recent = starts.sub(f"start_date: {start}", connections)
    return re.sub(rf"(?<={read[0]}, start_date: )[\d-]+", read[1], recent)
