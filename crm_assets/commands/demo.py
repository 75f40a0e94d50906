"""The demo: the sandbox in place of five accounts, everything materialized and checked, then the Dagster UI."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click

from crm_assets.commands.dagster_home import dagster_home
from crm_assets.commands.init import CONNECTIONS
from crm_assets.commands.local_postgres import free_port, local_postgres
from crm_assets.commands.sync.workers import signals_as_interrupt
from crm_assets.commands.workspace import Workspace
from crm_assets.declarations.models.connection import Connection
from crm_assets.errors import CommandError
from crm_assets.sandbox import sandbox_environment
from crm_assets.settings import Settings

_START_SECONDS = 120
_CHILD_STOP_SECONDS = 10
"""What `dagster dev` needs to stop its own processes in order."""
_DAYS = 14
"""How long ago packaged accounts begin: days since a fixed one would let the demo take longer from day to day."""
_OWN_COMMAND = [sys.executable, "-m", "crm_assets.cli"]


def run_demo(workspace: Workspace, *, ui: bool, port: int, rows: int, destination: str | None = None) -> int:
    """Run the demo and return its exit code.

    Args:
        workspace: Its connections are the accounts.
        ui: Serve the Dagster UI on 127.0.0.1 until Ctrl-C.
        port: Where.
        rows: Typical number of rows of a list.
        destination: Where to load, in place of the one that is set. PostgreSQL without credentials is a server of
            the demo's own, and is gone with it.

    Raises:
        CommandError: The sandbox, the server or the UI does not start.
    """
    workspace = _anywhere(workspace, destination)
    connections, warehouse = workspace.connections, workspace.warehouse
    os.environ["DAGSTER_HOME"] = str(dagster_home(warehouse.folder))
    with signals_as_interrupt(), _server(workspace.settings.destination) as server, _sandbox(rows) as url:
        os.environ.update(sandbox_environment(connections, url))
        click.echo(f"A sandbox serves {len(connections)} accounts at {url}.")
        with _running([*_OWN_COMMAND, "sync"]) as process:
            code = process.wait()
        where = server or (warehouse.database if warehouse.destination == "duckdb" else warehouse.destination)
        click.echo(f"The warehouse is {where}: select * from {_first_table(connections[0])};")
        if ui:
            _serve_ui(port)
    return code


def _anywhere(workspace: Workspace, destination: str | None) -> Workspace:
    """Return the workspace with absolute paths, and with the packaged connections in a folder without any."""
    settings, default = workspace.settings, Settings().connections_file
    folder = settings.data_folder.resolve()
    has_none = settings.connections_file == default and not default.exists()
    settings = replace(
        settings,
        connections_file=_packaged(folder) if has_none else settings.connections_file.resolve(),
        data_folder=folder,
        destination=destination or settings.destination,
    )
    os.environ["CRM_ASSETS_CONNECTIONS"] = str(settings.connections_file)
    os.environ["CRM_ASSETS_DATA"] = str(settings.data_folder)
    os.environ["CRM_ASSETS_DESTINATION"] = settings.destination
    return Workspace(settings)


def _packaged(folder: Path) -> Path:
    """Write the packaged connections into a folder, as accounts that began some days ago."""
    start, file = datetime.now(timezone.utc).date() - timedelta(days=_DAYS), folder / "demo.yaml"
    text = re.sub(r"(?<=, start_date: )[\d-]+", str(start), CONNECTIONS.read_text(encoding="utf-8"))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"The data folder {folder} cannot be written: {error.strerror}.") from error
    return file


def _server(destination: str) -> AbstractContextManager[str | None]:
    """Return a PostgreSQL server for the demo where it needs one and none is configured."""
    import dlt

    configured = any(dlt.secrets.get(f"destination.postgres.credentials{part}") for part in ("", ".host", ".database"))
    if destination != "postgres" or configured:
        return nullcontext()
    return _own_server()


@contextmanager
def _own_server() -> Iterator[str]:
    with local_postgres() as url:
        os.environ["DESTINATION__POSTGRES__CREDENTIALS"] = url
        yield url


def _first_table(connection: Connection) -> str:
    return f"{connection.name}.{connection.system.resources[0].name}"


@contextmanager
def _sandbox(rows: int) -> Iterator[str]:
    port = free_port()
    with _running([*_OWN_COMMAND, "sandbox", "--port", str(port), "--rows", str(rows)]) as process:
        _wait_for(port, process, "The sandbox")
        yield f"http://127.0.0.1:{port}"


def _serve_ui(port: int) -> None:
    own = Path("workspace.yaml")
    location = ["-w", str(own.resolve())] if own.exists() else ["-m", "crm_assets.definitions"]
    command = [str(Path(sys.executable).with_name("dagster")), "dev", "-h", "127.0.0.1", "-p", str(port), *location]
    environment = {"PYTHONWARNINGS": "ignore", "CRM_ASSETS_SCHEDULES": "on"}
    # In its own folder it finds no .env, whose secrets would take precedence over those of the sandbox.
    with _running(command, environment, Path(os.environ["DAGSTER_HOME"])) as process:
        _wait_for(port, process, "The Dagster UI")
        click.echo(f"The Dagster UI is at http://127.0.0.1:{port} (Ctrl-C stops).")
        try:
            process.wait()
        except KeyboardInterrupt:
            click.echo("\nStopped.")


@contextmanager
def _running(
    command: list[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a session of its own, so that Ctrl-C reaches us first and we stop it in order."""
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **(environment or {})}, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):  # a second Ctrl-C does not wait
                process.wait(_CHILD_STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise CommandError(f"{what} did not start on port {port}; is the port taken?")
