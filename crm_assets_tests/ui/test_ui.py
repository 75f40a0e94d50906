"""The Dagster UI, looked at with a real browser after a real sync."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml

from crm_assets.declarations.connections import load_connections
from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.checks import check_specs
from crm_assets.sandbox import sandbox_environment, serve
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.ui.browser import Page, look_at, program

BIN = Path(sys.executable).parent
START_SECONDS = 60
"""What the UI may take to start on a machine that is busy with other tests."""
CONNECTION, RESOURCE, FIELD = "visitor_analytics", "leads", "shoe_size"
"""What is looked at; a field that was never declared comes along with its records."""


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([str(BIN / command[0]), *command[1:]], stdout=sys.stderr, stderr=sys.stderr)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """An account at a served sandbox, in an environment where everything starts from nothing."""
    start = datetime.now(timezone.utc).date() - timedelta(days=3)
    path, home = tmp_path / "connections.yaml", tmp_path / "home"
    path.write_text(yaml.safe_dump({"connections": [{"name": CONNECTION, "system": CONNECTION, "start_date": start}]}))
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\nnux: {enabled: false}\n")
    connections = load_connections(path)
    sandbox = FaultySandbox(connections, rows=40)
    sandbox.faults.push(Fault("unknown_field", resource=RESOURCE, field=FIELD, value=43))
    with serve(sandbox) as base_url:
        own = sandbox_environment(connections, base_url) | {
            "CRM_ASSETS_CONNECTIONS": str(path),
            "CRM_ASSETS_DATA": str(tmp_path / "data"),
            "DAGSTER_HOME": str(home),
            "PYTHONWARNINGS": "ignore",
        }
        for name, value in own.items():
            monkeypatch.setenv(name, value)
        yield connections[0]


@contextmanager
def user_interface() -> Iterator[str]:
    """Serve the UI of the code location, sync meanwhile; yield the UI's address."""
    dg.DagsterInstance.get().dispose()  # its databases are made once, before two processes would
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with running("dagster-webserver", "-h", "127.0.0.1", "-p", str(port), "-m", "crm_assets.definitions") as server:
        with running("crm-assets", "sync") as sync:
            assert sync.wait(120) == 0
        _wait(port, server)
        yield f"http://127.0.0.1:{port}"


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _listening(port):
        assert server.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_person_sees_lineage_checks_and_what_a_table_is(connection: Connection) -> None:
    program()
    with user_interface() as url:
        asset = f"{url}/assets/{CONNECTION}/{RESOURCE}"
        group = f"{url}/locations/crm_assets.definitions/asset-groups/{CONNECTION}/lineage"
        _shows_the_lineage(
            look_at(group, until=f"/ {_count(connection, RESOURCE)} Passed"),
            connection,
        )
        _shows_what_the_table_is(look_at(f"{asset}?view=overview", until="Downstream assets"), connection)
        completeness = look_at(f"{asset}?view=checks&checkDetail=completeness", until="Evaluation result")
        schema = look_at(f"{asset}?view=checks&checkDetail=schema", until="Evaluation result")
    _shows_the_checks(completeness, schema)


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
    assert f"Undeclared fields came along: {FIELD} ({records}) (kept in _extra)." in schema.lines
    assert schema.after("Evaluation result")[0] == "Failed"


def _asked(sql: str) -> tuple[Any, ...]:
    with duckdb.connect(f"{os.environ['CRM_ASSETS_DATA']}/warehouse.duckdb", read_only=True) as warehouse:
        (row,) = warehouse.execute(sql).fetchall()
    return tuple(row)
