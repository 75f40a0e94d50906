"""Engines that a process keeps: clean for the next use, never shared, and gone where they would do harm."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from crm_assets.extract.decode import duckdb_engine as module
from crm_assets.extract.decode.duckdb_engine import close_idle_engines, duckdb_engine


@pytest.fixture(autouse=True)
def _none_before() -> None:
    close_idle_engines()


def test_an_engine_serves_again_with_nothing_attached(tmp_path: Path) -> None:
    with duckdb_engine("test", threads=1) as first:
        first.execute(f"ATTACH '{tmp_path / 'a.duckdb'}' AS a; USE a; CREATE TABLE t AS SELECT 1 AS one")
    with duckdb.connect(str(tmp_path / "a.duckdb")) as opened:  # nobody has it open
        assert opened.execute("FROM t").fetchall() == [(1,)]
    with duckdb_engine("test", threads=1) as again:
        assert again is first
        facts = "SELECT current_database(), count(*) FROM duckdb_databases() WHERE NOT internal"
        assert again.execute(facts).fetchall() == [("memory", 1)]


def test_two_users_at_once_have_an_engine_each() -> None:
    with duckdb_engine("test", threads=1) as one, duckdb_engine("test", threads=1) as other:
        assert one is not other
    assert len(module._idle) == 1


def test_other_settings_are_another_engine() -> None:
    with duckdb_engine("test", threads=1) as one:
        pass
    with duckdb_engine("test", threads=2) as other:
        assert other is not one
        assert other.execute("SELECT current_setting('threads')").fetchall() == [(2,)]


def test_an_engine_in_which_something_failed_is_not_used_again() -> None:
    with pytest.raises(duckdb.CatalogException), duckdb_engine("test") as failed:
        failed.execute("FROM nowhere")
    assert "test" not in module._idle
    with pytest.raises(duckdb.ConnectionException):
        failed.execute("SELECT 1")


def test_a_transaction_that_was_left_open_keeps_no_file_from_others(tmp_path: Path) -> None:
    with duckdb_engine("test") as engine:
        engine.execute(f"ATTACH '{tmp_path / 'a.duckdb'}' AS a; CREATE TABLE a.t AS SELECT 1 AS one")
        engine.execute("BEGIN; INSERT INTO a.t VALUES (2)")
    with duckdb.connect(str(tmp_path / "a.duckdb")) as opened:
        assert opened.execute("FROM t").fetchall() == [(1,)]


def test_a_forked_process_has_engines_of_its_own() -> None:
    with duckdb_engine("test", threads=2) as engine:
        engine.execute("SELECT 1")
    child = os.fork()
    if not child:
        with duckdb_engine("test", threads=2) as own:
            os._exit(0 if own.execute("SELECT sum(range) FROM range(300000)").fetchall() else 1)
    assert os.waitpid(child, 0)[1] == 0
