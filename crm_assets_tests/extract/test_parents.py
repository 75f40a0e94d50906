"""Lists of parents: every parent has one, also those that a read of changes alone would leave out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from crm_assets.declarations import Connection, load_connections
from crm_assets.extract.fetch import ReadResult, fetch
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.read_report import ReadTask
from crm_assets.sandbox import sandbox_secrets
from crm_assets_tests.faults import FaultySandbox, serve

TOMORROW = datetime(2100, 1, 1, tzinfo=timezone.utc)
"""Nothing changed since."""


@pytest.fixture
def connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A connection served by the sandbox, with contacts read by cursor and lists for each of them."""
    monkeypatch.delenv("CRM_ASSETS_SANDBOX", raising=False)
    path = tmp_path / "connections.yaml"
    path.write_text("connections: [{name: crm, system: less_annoying_crm}]", encoding="utf-8")
    (connection,) = load_connections(path)
    with serve(FaultySandbox([connection])) as url:
        yield connection.at(f"{url}/crm")


def read(connection: Connection, folder: Path, *tasks: ReadTask) -> list[ReadResult]:
    folder.mkdir()
    return fetch(connection, tasks, sandbox_secrets(connection), folder, RateLimiter(folder / "budget", None))


def test_a_parent_read_for_changes_is_read_whole_where_its_lists_are_read(
    connection: Connection, tmp_path: Path
) -> None:
    contacts, items = (connection.system.resource(name) for name in ("contacts", "pipeline_items"))
    _, whole = read(connection, tmp_path / "whole", ReadTask(contacts), ReadTask(items))
    parent, child = read(connection, tmp_path / "changes", ReadTask(contacts, since=TOMORROW), ReadTask(items))
    assert whole.report.rows > 0
    assert (child.report.complete, child.report.rows, child.report.parents) == (
        True,
        whole.report.rows,
        parent.report.rows,
    )
    assert (parent.task.mode, parent.report.mode) == ("full_refresh", "full_refresh")


def test_a_parent_alone_is_read_for_changes(connection: Connection, tmp_path: Path) -> None:
    (parent,) = read(connection, tmp_path / "run", ReadTask(connection.system.resource("contacts"), since=TOMORROW))
    assert (parent.report.complete, parent.report.mode, parent.report.rows) == (True, "incremental", 0)


def test_a_parent_nobody_asked_for_is_read_for_its_keys_alone(connection: Connection, tmp_path: Path) -> None:
    (child,) = read(connection, tmp_path / "run", ReadTask(connection.system.resource("pipeline_items")))
    assert child.task.resource.name == "pipeline_items"
    assert child.report.parents
