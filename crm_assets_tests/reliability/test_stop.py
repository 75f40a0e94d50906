"""Stopping and losing processes of ``crm-assets sync``: no orphans, no half tables, no green exit."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from crm_assets.commands.sync.results import interrupted
from crm_assets.warehouse import commit
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.installation import Installation
from crm_assets_tests.reliability.killed_runs import Command, until

CONNECTIONS = """
connections:
  - {name: sales_crm, system: sales_crm}
  - {name: sales_engagement, system: sales_engagement}
"""
HELD = "sales_engagement"
"""The connection whose answers come late, so that it can be caught at work."""

Start = Callable[..., Command]


@pytest.fixture
def start(sandbox: FaultySandbox, served: tuple[FaultySandbox, str], tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts ``crm-assets sync`` in a process group of its own."""
    (tmp_path / "connections.yaml").write_text(CONNECTIONS)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    settings = {
        **{name: value for name, value in os.environ.items() if name.startswith("SOURCES__")},
        "CRM_ASSETS_SANDBOX": served[1],
        "CRM_ASSETS_CONNECTIONS": str(tmp_path / "connections.yaml"),
        "CRM_ASSETS_DATA": str(tmp_path / "data"),
        "DAGSTER_HOME": str(tmp_path / "home"),
    }
    started: list[Command] = []

    def run(*selection: str) -> Command:
        started.append(Command(["sync", *selection], settings, tmp_path / f"told{len(started)}"))
        return started[-1]

    yield run
    for command in started:
        for pid in [*of_session(command.process.pid)]:
            os.kill(pid, signal.SIGKILL)
        command.process.join()


def of_session(session: int) -> Iterator[int]:
    """Yield the living processes of a session."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, found = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(found) == session and state != "Z":
            yield int(folder.name)


@contextmanager
def held(sandbox: FaultySandbox) -> Iterator[None]:
    """Keep one connection waiting for its second answer until it is at work for sure."""
    sandbox.faults.push(Fault("delay", HELD, "campaigns", seconds=20))
    yield
    until(lambda: sandbox.requests.of(HELD, "campaigns"))


def tables(tmp_path: Path) -> dict[str, int]:
    """Return the rows of every table of the connection that was caught at work."""
    database = tmp_path / "data" / "warehouse.duckdb"
    if not database.exists():
        return {}
    with duckdb.connect(str(database)) as warehouse:
        found = warehouse.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'",
            [HELD],
        ).fetchall()
        return {name: warehouse.execute(f'SELECT count(*) FROM {HELD}."{name}"').fetchall()[0][0] for (name,) in found}


def statuses(tmp_path: Path) -> dict[str, dg.DagsterRunStatus]:
    """Return the status of the latest run of each connection."""
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        return {run.tags["crm/connection"]: run.status for run in reversed(instance.get_runs())}


def nothing_is_left(tmp_path: Path, session: int) -> None:
    until(lambda: not [*of_session(session)], seconds=15)
    assert [path.name for path in (tmp_path / "data" / "runs").iterdir()] == []
    assert tables(tmp_path) == {}


@pytest.mark.parametrize("selection", [(), (f"key:{HELD}/*",)], ids=["side by side", "alone"])
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_sync_stops_all_its_processes(
    sign: signal.Signals, selection: tuple[str, ...], start: Start, sandbox: FaultySandbox, tmp_path: Path
) -> None:
    with held(sandbox):
        command = start(*selection)
    (os.killpg if sign == signal.SIGINT else os.kill)(command.process.pid, sign)
    code, told = command.wait()
    assert "Traceback" not in told, told
    assert code == 130
    assert "Stopped. What was loaded stays; run again for the rest." in told
    nothing_is_left(tmp_path, command.process.pid)
    assert statuses(tmp_path)[HELD] == dg.DagsterRunStatus.FAILURE


def test_ctrl_c_in_the_middle_of_a_query_stops_the_load(paging: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB turns it into an error of its query, and that must not pass for a table that could not be loaded."""
    merge, before = commit.merge_rows, paging.snapshot("paging")

    def interrupted_merge(session: Any, *given: Any, **named: Any) -> Any:
        merge(session, *given, **named)
        session.write("SET threads = 1")  # those of DuckDB itself would finish what they are at
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        session.query("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b")

    monkeypatch.setattr(commit, "merge_rows", interrupted_merge)
    result = paging.materialize("paging/by_page", "paging/whole")
    assert interrupted(result)
    assert paging.snapshot("paging") == before


def test_workers_do_not_outlive_their_parent(start: Start, sandbox: FaultySandbox, tmp_path: Path) -> None:
    with held(sandbox):
        command = start()
    command.process.kill()
    until(lambda: not [*of_session(command.process.pid)], seconds=15)
    Warehouse(tmp_path / "data").remove_stale_folders()  # as the next run does first: nobody was left to tidy up
    nothing_is_left(tmp_path, command.process.pid)


def test_a_worker_that_is_killed_is_told_and_its_run_marked(
    start: Start, sandbox: FaultySandbox, tmp_path: Path
) -> None:
    with held(sandbox):
        command = start()
    until(lambda: statuses(tmp_path).get("sales_crm") == dg.DagsterRunStatus.SUCCESS)
    until(lambda: len([*of_session(command.process.pid)]) == 2)
    (worker,) = set(of_session(command.process.pid)) - {command.process.pid}
    os.kill(worker, signal.SIGKILL)
    code, told = command.wait()
    assert code == 1
    told = " ".join(told.split())
    assert f"{HELD}.campaigns, prospects: its process was killed (SIGKILL, perhaps because memory ran out)" in told
    assert statuses(tmp_path)[HELD] == dg.DagsterRunStatus.FAILURE
    sandbox.faults.clear()
    code, told = start(f"key:{HELD}/*").wait()
    assert code == 0, told
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        found = [run.status for run in instance.get_runs() if run.tags["crm/connection"] == HELD]
    assert found == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    assert [*(tmp_path / "data" / "runs").iterdir()] == []
