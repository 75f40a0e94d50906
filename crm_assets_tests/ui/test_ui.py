"""The Dagster UI, looked at with a real browser after a real sync."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml

from crm_assets.commands.dagster_home import TEMPLATE
from crm_assets.declarations.connections import load_connections
from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.checks import check_specs
from crm_assets.sandbox import sandbox_environment
from crm_assets_tests.faults import Fault, FaultySandbox, serve
from crm_assets_tests.forks import running
from crm_assets_tests.ui.browser import Browser, Page, browser, program

START_SECONDS = 60
"""What the UI may take to start on a machine that is busy with other tests."""
CONNECTION, RESOURCE, FIELD = "visitor_analytics", "leads", "shoe_size"
"""What is looked at; a field that was never declared comes along with its records."""
OTHER = "sales_engagement"
"""What is read from the UI."""
DAYS = 30
LOCATION = "crm_assets.definitions"


@dataclass(frozen=True)
class Interface:
    """The UI of two accounts at a sandbox: one of them synced, the other untouched."""

    browser: Browser
    url: str
    connection: Connection
    sandbox: FaultySandbox
    workspace: Path

    def asset(self, key: str, view: str, until: str) -> Page:
        """Look at one view of an asset's page."""
        return self.browser.look_at(f"{self.url}/assets/{key}?view={view}", until)


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interface]:
    """Serve everything from nothing, and sync one account meanwhile."""
    program()
    folder, start = tmp_path_factory.mktemp("ui"), datetime.now(timezone.utc).date() - timedelta(days=DAYS - 1)
    path, home = folder / "connections.yaml", folder / "home"
    accounts = [{"name": name, "system": name, "start_date": start} for name in (CONNECTION, OTHER)]
    path.write_text(yaml.safe_dump({"connections": accounts}))
    home.mkdir()
    (home / "dagster.yaml").write_text(TEMPLATE.read_text().replace("data/dagster", str(home)))
    connections = load_connections(path)
    sandbox = FaultySandbox(connections, rows=40)
    sandbox.faults.push(Fault("unknown_field", resource=RESOURCE, field=FIELD, value=43))
    with serve(sandbox) as base_url, pytest.MonkeyPatch.context() as environment:
        own = sandbox_environment(connections, base_url) | {
            "CRM_ASSETS_CONNECTIONS": str(path),
            "CRM_ASSETS_DATA": str(folder / "data"),
            "DAGSTER_HOME": str(home),
            "PYTHONWARNINGS": "ignore",
        }
        for name, value in own.items():
            environment.setenv(name, value)
        with user_interface(folder / "workspace.yaml") as url, browser() as window:
            yield Interface(window, url, connections[0], sandbox, folder / "workspace.yaml")


@contextmanager
def user_interface(workspace: Path) -> Iterator[str]:
    """Serve the code location and its UI, sync meanwhile; yield the UI's address.

    Args:
        workspace: File to write, which names the code location; the daemon uses the same.
    """
    dg.DagsterInstance.get().dispose()  # its databases are made once, before two processes would
    code, web = _free_port(), _free_port()
    location = {"host": "127.0.0.1", "port": int(code), "location_name": LOCATION}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": location}]}))
    with (
        started(workspace, "dagster", "api", "grpc", "-h", "127.0.0.1", "-p", code, "-m", LOCATION) as definitions,
        started(workspace, "crm-assets", "sync", f"group:{CONNECTION}") as sync,
    ):
        _wait(code, definitions)
        with started(workspace, "dagster-webserver", "-h", "127.0.0.1", "-p", web, "-w", str(workspace)) as server:
            sync.join(120)
            assert sync.exitcode == 0
            _wait(web, server)
            yield f"http://127.0.0.1:{web}"


@contextmanager
def started(workspace: Path, *command: str) -> Iterator[Any]:
    """Run a program, and print what it said if the block fails."""
    told = workspace.with_name(f"{command[0]}.txt")
    try:
        with running(command, environment=os.environ, told=told) as process:
            yield process
    except BaseException:
        print(command, told.read_text()[-5000:])
        raise


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def _wait(port: str, server: Any) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _listening(port):
        assert server.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _listening(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def test_a_person_sees_lineage_checks_and_what_a_table_is(interface: Interface) -> None:
    connection, asset = interface.connection, f"{CONNECTION}/{RESOURCE}"
    group = f"{interface.url}/locations/{LOCATION}/asset-groups/{CONNECTION}/lineage"
    _shows_the_lineage(interface.browser.look_at(group, f"/ {_count(connection, RESOURCE)} Passed"), connection)
    interface.asset(asset, "overview", connection.system.resource(RESOURCE).description)
    _shows_what_the_table_is(interface.browser.see("Downstream assets"), connection)
    interface.asset(asset, "checks&checkDetail=completeness", "Evaluation result")
    for name in ("freshness", "primary_key", "schema"):
        completeness = interface.browser.see(name)
    interface.asset(asset, "checks&checkDetail=schema", "Evaluation result")
    schema = interface.browser.see("(kept in _extra).")
    _shows_the_checks(completeness, schema)
    schedules = interface.browser.look_at(f"{interface.url}/automation?type=schedules", "crm_report_schedule")
    assert f"{CONNECTION}_windows_schedule" in schedules.lines


def test_a_person_materializes_backfills_checks_and_reads_why_a_list_failed(interface: Interface) -> None:
    interface.sandbox.faults.push(Fault("status", connection=OTHER, resource="prospects", status=403))
    with dg.DagsterInstance.get() as instance:
        synced = {run.run_id for run in instance.get_runs()}
    group = f"{interface.url}/locations/{LOCATION}/asset-groups/{OTHER}/lineage"
    interface.browser.look_at(group, "prospects")
    interface.browser.click("Materialize all (2)")
    interface.browser.see("Launched")
    interface.asset(f"{CONNECTION}/accounts", "checks", "Execute all")
    interface.browser.click("Execute all")
    interface.browser.see("In progress")
    interface.asset(f"{CONNECTION}/visits", "overview", "Downstream assets")
    for label in ("Materialize…", "All", "Launch backfill"):
        interface.browser.click(label)
    _until_there_is_a_backfill()
    with started(interface.workspace, "dagster-daemon", "run", "-w", str(interface.workspace)):
        runs = _finished(3, synced)
    states = {tuple(sorted(key.path[-1] for key in run.asset_selection or ())): run for run in runs}
    assert {names: run.status.value for names, run in states.items()} == {
        ("campaigns", "prospects"): "FAILURE",
        ("visits",): "SUCCESS",
        (): "SUCCESS",
    }
    assert states["visits",].tags["dagster/asset_partition_range_end"] == str(datetime.now(timezone.utc).date())
    page = interface.browser.look_at(
        f"{interface.url}/runs/{states[('campaigns', 'prospects')].run_id}", "STEP_FAILURE"
    )
    assert "the server answered 403 Forbidden: the key has no permission for this list" in page.text
    assert "Stack Trace" not in page.text
    interface.asset(f"{OTHER}/prospects", "checks&checkDetail=completeness", "Evaluation result Failed")
    campaigns = interface.asset(f"{OTHER}/campaigns", "overview", "rows_loaded")
    assert campaigns.after("Row count")[0] == str(_asked(f"SELECT count(*) FROM {OTHER}.campaigns")[0])
    interface.asset(f"{CONNECTION}/accounts", "checks&checkDetail=completeness", "Evaluation result Passed")


def _until_there_is_a_backfill() -> None:
    deadline = time.monotonic() + START_SECONDS
    with dg.DagsterInstance.get() as instance:
        while not instance.get_backfills():
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _finished(count: int, earlier: set[str]) -> list[dg.DagsterRun]:
    """Wait until the runs that were launched in the UI are finished."""
    deadline = time.monotonic() + 3 * START_SECONDS
    with dg.DagsterInstance.get() as instance:
        while True:
            runs = [run for run in instance.get_runs() if run.run_id not in earlier]
            if len(runs) == count and all(run.is_finished for run in runs):
                return runs
            assert time.monotonic() < deadline, [(run.job_name, run.status) for run in runs]
            time.sleep(0.5)


def _shows_the_lineage(page: Page, connection: Connection) -> None:
    """Every table with its list upstream, an arrow for each list and each parent, the checks' results."""
    resources = connection.system.resources
    for resource in resources:
        assert page.lines.count(resource.name) == 1, page.text
    assert (page.lines.count("rest"), page.lines.count("DuckDB")) == (1, len(resources))
    assert page.edges == len(resources) + sum(resource.parent is not None for resource in resources)
    results = [line for line in page.lines if line.endswith(" Passed")]
    counts = {resource.name: _count(connection, resource.name) for resource in resources}
    assert sorted(results) == sorted(f"{count - (name == RESOURCE)} / {count} Passed" for name, count in counts.items())


def _count(connection: Connection, resource: str) -> int:
    return len(check_specs(connection, connection.system.resource(resource)))


def _shows_what_the_table_is(page: Page, connection: Connection) -> None:
    """Row count, description, columns, table name, parents."""
    resource = connection.system.resource(RESOURCE)
    rows = _asked(f"SELECT count(*) FROM {CONNECTION}.{RESOURCE}")[0]
    assert page.after("Row count")[0] == str(rows)
    assert resource.description in page.text
    for name, column in resource.columns.items():
        assert column.description in page.after(name)[:4]
    assert page.after("Storage")[0] == f"warehouse.{CONNECTION}.{RESOURCE}"
    upstream = page.after("Upstream assets")
    assert resource.parent
    for parent in (f"api / {CONNECTION}", f"{CONNECTION} / {resource.parent.resource}"):
        assert parent in upstream[: upstream.index("Downstream assets")]


def _shows_the_checks(completeness: Page, schema: Page) -> None:
    """The sentences of a check that passed and of one that did not, and the results of all."""
    reason, rows, pages = _asked(f"SELECT reason, rows, pages FROM {CONNECTION}._reads WHERE resource = '{RESOURCE}'")
    sentence = f"The last read (window) saw the end: {reason}; {rows} rows from {pages} pages."
    assert sentence in completeness.lines
    assert completeness.after("Evaluation result")[0] == "Passed"
    results = {name: completeness.after(name)[1] for name in ("completeness", "freshness", "primary_key", "schema")}
    assert results == dict.fromkeys(results, "Succeeded") | {"schema": "Failed"}
    (records,) = _asked(f"SELECT count(*) FROM {CONNECTION}.{RESOURCE} WHERE _extra IS NOT NULL")
    assert f"Undeclared fields arrived: {FIELD} ({records}) (kept in _extra)." in schema.lines
    assert schema.after("Evaluation result")[0] == "Failed"


def _asked(sql: str) -> tuple[Any, ...]:
    with duckdb.connect(f"{os.environ['CRM_ASSETS_DATA']}/warehouse.duckdb", read_only=True) as warehouse:
        (row,) = warehouse.execute(sql).fetchall()
    return tuple(row)
