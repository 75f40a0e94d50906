"""How long a first sync over years of daily windows takes, with Dagster's SQLite instance and without one.

Usage: python -m benchmarks.first_sync [CONNECTION] [--years N]

The sandbox serves the connection. Each variant is a process of its own with a data folder of its own: ``home`` is the
instance that all commands use, ``default`` is the one Dagster makes of an empty DAGSTER_HOME, ``none`` forgets its
events.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from crm_assets.declarations import load_connections
from crm_assets.sandbox import Sandbox, sandbox_environment
from crm_assets_tests.faults import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dagster as dg

VARIANTS = ("none", "home", "default")


def main() -> None:
    """Print the seconds of each variant, and the ratio to the one without an instance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("connection", nargs="?", default="visitor_analytics")
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS[:2]))
    given = parser.parse_args()
    start = datetime.now(timezone.utc).date() - timedelta(days=365 * given.years)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "connections.yaml"
        entry = f"{{name: {given.connection}, system: {given.connection}, start_date: {start}}}"
        file.write_text(f"connections: [{entry}]", encoding="utf-8")
        with serve(Sandbox(load_connections(file))) as base_url:
            environment = {
                **os.environ,
                **sandbox_environment(load_connections(file), base_url),
                "CRM_ASSETS_CONNECTIONS": str(file),
            }
            seconds = {one: _timed(one, Path(folder) / one, environment) for one in given.variants}
    for name, took in seconds.items():
        print(f"{name}: {took:.1f} s, {took / seconds[given.variants[0]]:.2f} × {given.variants[0]}")


def _timed(variant: str, folder: Path, environment: dict[str, str]) -> float:
    folder.mkdir()
    environment = {**environment, "CRM_ASSETS_DATA": str(folder / "data")}
    environment.pop("DAGSTER_HOME", None)
    command = [sys.executable, "-c", f"from benchmarks.first_sync import sync; sync({variant!r}, {str(folder)!r})"]
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, cwd=Path(__file__).parents[1])
    return time.perf_counter() - started


def sync(variant: str, folder: str) -> None:
    """Read everything that is due, in this process."""
    from crm_assets.commands.sync.run_requests import SyncRequest, plan_runs, select_assets
    from crm_assets.commands.sync.sync import execute
    from crm_assets.commands.workspace import Workspace
    from crm_assets.settings import Settings

    workspace, request = Workspace(Settings.from_env()), SyncRequest()
    with _instance(variant, Path(folder)) as instance:
        for connection, keys in select_assets(workspace, request).tables.items():
            for planned in plan_runs(workspace, connection, keys, request):
                results = execute(workspace, planned, instance)
                assert all(result.succeeded for result in results), results


@contextmanager
def _instance(variant: str, folder: Path) -> Iterator[dg.DagsterInstance]:
    import dagster as dg

    from crm_assets.commands.dagster_home import open_instance

    match variant:
        case "none":
            with dg.DagsterInstance.ephemeral() as instance:
                yield instance
        case "home":
            with open_instance(folder / "data") as instance:
                yield instance
        case _:
            (folder / "dagster").mkdir()
            with dg.DagsterInstance.local_temp(str(folder / "dagster")) as instance:
                yield instance


if __name__ == "__main__":
    main()
