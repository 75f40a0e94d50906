"""Loads of many rows into a table that has as many, killed or out of disk in the middle of a statement."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_assets.commands.local_postgres import programs
from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.fetch import ReadResult
from crm_assets.extract.read_report import ReadReport, ReadTask
from crm_assets.extract.staging.staged_rows import StagedRows
from crm_assets.warehouse.commit import commit_read
from crm_assets.warehouse.errors import WarehouseError
from crm_assets.warehouse.load import prepare_schema, staged_rows, table_source
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.conftest import only
from crm_assets_tests.postgres import URL
from crm_assets_tests.reliability import times
from crm_assets_tests.reliability.killed_runs import context
from crm_assets_tests.reliability.test_disk import no_file_beyond

ROWS = 60_000
KILLS = times(3, 100)
"""Of loads that were still at work, per destination: the long variant kills 200 of them."""
DESTINATIONS = ("duckdb", *(["postgres"] if programs() else []))
Look = Callable[[], tuple[list[tuple[str, int]], set[str]]]


def load(connection: Connection, folder: Path, destination: str, version: str, before: Callable[[], None]) -> str:
    """Load one version of all rows; return what failed."""
    (resource,) = connection.system.resources
    warehouse = Warehouse(folder, destination)
    try:
        with warehouse.working_folder() as working, warehouse.session(connection.name, working, print) as session:
            reading = _reading(connection, working, version)
            prepare_schema(session)
            source = table_source(connection, [reading], session)
            session.open_pipeline(session.dataset).run(source).raise_on_failed_jobs()
            session.forget_catalog()
            before()
            with staged_rows(session, [reading]) as (staged, failures):
                if failures:
                    return failures[resource.name]
                commit_read(session, connection, reading, "run", staged)
    except WarehouseError as error:
        return str(error)
    return ""


def _reading(connection: Connection, working: Path, version: str) -> ReadResult:
    (resource,) = connection.system.resources
    report = ReadReport(read_id=version, complete=True, rows=ROWS)
    staged = StagedRows(resource, version, working, duckdb.connect(), 10**8)
    staged.rows = ROWS
    ids = pa.array(range(ROWS), pa.int64())
    given = {"id": ids, "name": pa.array([f"{version} {n}" * 8 for n in range(ROWS)]), "_read_id": [version] * ROWS}
    pq.write_table(
        pa.table([pa.array(given.get(one.name, pa.nulls(ROWS)), one.type) for one in staged.schema], staged.schema),
        staged.path,
    )
    return ReadResult(ReadTask(resource), report, staged)


def _work(*job: object) -> None:
    *given, url, pipe, limit = job
    os.environ[URL] = str(url)
    before = partial(no_file_beyond, limit) if limit else (lambda: None)  # type: ignore[arg-type]

    def begin() -> None:
        pipe.send("loading")  # type: ignore[attr-defined]
        before()

    pipe.send(load(*given, begin))  # type: ignore[attr-defined, arg-type]


class Loading:
    """A load in a process of its own."""

    def __init__(self, *job: object, limit: int = 0) -> None:
        self.pipe, there = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(*job, os.environ.get(URL, ""), there, limit), daemon=True)
        self.process.start()
        there.close()
        assert self.pipe.recv() == "loading"

    def kill(self, delay: float) -> bool:
        """Kill -9 after so many seconds; return whether it was still at work."""
        self.process.join(delay)
        self.process.kill()
        self.process.join(60)
        return bool(self.process.exitcode == -signal.SIGKILL)

    def end(self) -> str:
        """Return what failed."""
        failed: str = self.pipe.recv()
        self.process.join(60)
        return failed


@pytest.fixture
def one_list(connections: dict[str, Connection]) -> Connection:
    return only(connections["paging"], "whole")


@pytest.fixture
def look(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], Look]:
    """Return what looks into a warehouse of a kind: versions and number of rows in the table, reads in the log."""
    queries = (
        "SELECT _read_id, count(*) FROM paging.whole GROUP BY 1 ORDER BY 1",
        "SELECT read_id FROM paging._reads WHERE complete",
    )

    def open_(destination: str) -> Look:
        if destination == "postgres":
            request.getfixturevalue("own_database")
        kept = tmp_path / "data" / "warehouse.duckdb"

        def see() -> tuple[list[tuple[str, int]], set[str]]:
            database = psycopg2.connect(os.environ[URL]) if destination == "postgres" else duckdb.connect(str(kept))
            cursor, found = database.cursor(), []
            for query in queries:
                cursor.execute(query)
                found.append(cursor.fetchall())
            database.close()
            return found[0], {read_id for (read_id,) in found[1]}

        return see

    return open_


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_killed_while_rows_are_replaced(
    destination: str, one_list: Connection, look: Callable[[str], Look], tmp_path: Path
) -> None:
    see, chance = look(destination), random.Random(destination)
    assert Loading(one_list, tmp_path / "data", destination, "v0").end() == ""
    second, started = Loading(one_list, tmp_path / "data", destination, "v00"), time.monotonic()
    assert second.end() == ""
    seconds = time.monotonic() - started
    killed, number = 0, 0
    current, outcomes = "v00", {"old": 0, "new": 0}
    while killed < KILLS or not outcomes["old"]:  # some kill has to come before the commit
        number += 1
        killed += Loading(one_list, tmp_path / "data", destination, f"v{number}").kill(chance.random() * seconds)
        rows, logged = see()
        (version, count), *others = rows
        assert (count, others) == (ROWS, []), f"kill {number}: {rows}"
        assert version in (current, f"v{number}"), f"kill {number}"
        assert (f"v{number}" in logged) == (version == f"v{number}"), f"kill {number}: the read log disagrees"
        outcomes["old" if version == current else "new"] += 1
        current = version
    print(f"{destination}: {killed} kills in {number} loads, {outcomes}")


@pytest.mark.parametrize("share", [1.05, 1.3, 1.6, 2.0][:: times(2, 1)])
def test_a_disk_that_fills_up_in_a_second_load(
    share: float, one_list: Connection, look: Callable[[str], Look], tmp_path: Path
) -> None:
    see, folder = look("duckdb"), tmp_path / "data"
    assert Loading(one_list, folder, "duckdb", "v0").end() == ""
    see()
    size = (folder / "warehouse.duckdb").stat().st_size
    shutil.rmtree(folder / "runs", ignore_errors=True)
    failed = Loading(one_list, folder, "duckdb", "v1", limit=int(size * share)).end()
    rows, logged = see()
    assert rows in ([("v0", ROWS)], [("v1", ROWS)])
    assert (rows == [("v1", ROWS)]) == ("v1" in logged)
    if rows == [("v0", ROWS)]:
        assert "paging.whole could not be written: " in failed
    if "Its rows are as they were." in failed:
        assert rows == [("v0", ROWS)]
