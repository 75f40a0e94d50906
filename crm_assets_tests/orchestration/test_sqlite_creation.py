"""A new instance's databases: those that Dagster makes, all of them or none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.sql import ScriptDirectory, get_alembic_config
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from crm_assets.orchestration import sqlite_creation
from crm_assets.orchestration.sqlite_creation import make_databases, migrations_read_once
from crm_assets.orchestration.sqlite_storage import BatchingSqliteStorage


def contents(folder: Path) -> dict[str, Any]:
    """Return the schema and the revision of each database."""
    found: dict[str, Any] = {}
    for path in folder.rglob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            tables = sorted(database.execute("SELECT name, sql FROM sqlite_master").fetchall())
            revision = database.execute("SELECT version_num FROM alembic_version").fetchall()
            found[str(path.relative_to(folder))] = (
                tables,
                revision,
                database.execute("PRAGMA journal_mode").fetchall(),
            )
    return found


def test_they_are_those_that_dagster_makes(tmp_path: Path) -> None:
    for storage, name in ((DagsterSqliteStorage, "dagster"), (BatchingSqliteStorage, "ours")):
        for _ in range(2):
            storage.from_local(str(tmp_path / name)).dispose()
    expected = contents(tmp_path / "dagster")
    assert {"history/runs.db", "history/runs/index.db", "schedules/schedules.db"} == expected.keys()
    assert contents(tmp_path / "ours") == expected
    assert sorted(path.name for path in (tmp_path / "ours").iterdir()) == ["history", "schedules"]


def test_there_are_none_where_making_them_fails(tmp_path: Path) -> None:
    def make(folder: str) -> None:
        Path(folder, "history").mkdir()
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        make_databases(str(tmp_path / "home"), make)
    assert not [*(tmp_path / "home").iterdir()]


def test_those_of_a_faster_process_stay(tmp_path: Path) -> None:
    def make(folder: str) -> None:
        for place in (Path(folder), tmp_path):
            (place / "history").mkdir(parents=True)
            (place / "history" / "runs.db").write_text(f"by {place.name}")

    make_databases(str(tmp_path), make)
    assert (tmp_path / "history" / "runs.db").read_text() == f"by {tmp_path.name}"
    make_databases(str(tmp_path), lambda folder: pytest.fail("they are there"))


def test_migrations_are_read_once_while_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    config = get_alembic_config(sqlite_run_storage.__file__)
    monkeypatch.setattr(ScriptDirectory, "from_config", lambda _: object())
    monkeypatch.setattr(sqlite_creation, "_scripts", {})
    with migrations_read_once():
        assert ScriptDirectory.from_config(config) is ScriptDirectory.from_config(config)
    assert ScriptDirectory.from_config(config) is not ScriptDirectory.from_config(config)
