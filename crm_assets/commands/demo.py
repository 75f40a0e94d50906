"""The demo: the sandbox in place of five accounts, everything materialized and checked, then the Dagster UI."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from crm_assets.commands.workspace import Workspace
from crm_assets.declarations.connections import Connection
from crm_assets.errors import CommandError
from crm_assets.sandbox import sandbox_environment

_START_SECONDS = 60


def run_demo(workspace: Workspace, *, ui: bool, port: int, rows: int) -> int:
    """Run the demo and return its exit code.

    Args:
        workspace: Its connections are the accounts.
        ui: Serve the Dagster UI on 127.0.0.1 until Ctrl-C.
        port: Where.
        rows: Typical number of rows of a list.
    """
    connections, warehouse = workspace.connections, workspace.warehouse
    os.environ["DAGSTER_HOME"] = str(_dagster_home(warehouse.folder.resolve()))
    with _sandbox(rows) as url:
        os.environ.update(sandbox_environment(connections, url))
        click.echo(f"A sandbox stands in for {len(connections)} accounts at {url}.")
        code = _sync()
        click.echo(f"The warehouse is {warehouse.database}: select * from {_first_table(connections[0])};")
        if ui:
            _serve_ui(port)
    return code


def _first_table(connection: Connection) -> str:
    return f"{connection.name}.{connection.system.resources[0].name}"


def _sync() -> int:
    """Sync in a process of its own, as a person would."""
    return subprocess.run([sys.executable, "-m", "crm_assets.cli", "sync"], check=False).returncode


def _dagster_home(data: Path) -> Path:
    home = data / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    settings = Path("dagster.yaml")
    if settings.exists():
        shutil.copyfile(settings, home / "dagster.yaml")
    return home


@contextmanager
def _sandbox(rows: int) -> Iterator[str]:
    port = _free_port()
    command = [sys.executable, "-m", "crm_assets.cli", "sandbox", "--port", str(port), "--rows", str(rows)]
    with _running(command, {}) as process:
        _wait_for(port, process, "The sandbox")
        yield f"http://127.0.0.1:{port}"


def _serve_ui(port: int) -> None:
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "dev", "-h", "127.0.0.1", "-p", str(port)]
    with _running(command, {"PYTHONWARNINGS": "ignore", "CRM_ASSETS_SCHEDULES": "on"}) as process:
        _wait_for(port, process, "The Dagster UI")
        click.echo(f"The Dagster UI is at http://127.0.0.1:{port} (Ctrl-C stops).")
        try:
            process.wait()
        except KeyboardInterrupt:
            click.echo("\nStopped.")


@contextmanager
def _running(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a session of its own, so that Ctrl-C reaches us first and we stop it in order."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True)
    try:
        yield process
    finally:
        for sign, patience in ((signal.SIGINT, 10), (signal.SIGKILL, 5)):
            if process.poll() is None:
                os.killpg(process.pid, sign)
                with _ignoring_timeout():
                    process.wait(patience)


@contextmanager
def _ignoring_timeout() -> Iterator[None]:
    try:
        yield
    except subprocess.TimeoutExpired:
        return


def _wait_for(port: int, process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise CommandError(f"{what} did not start on port {port}; is the port taken?")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
