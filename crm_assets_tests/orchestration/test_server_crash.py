"""The instance's PostgreSQL crashes: what was saved of reads is gone, and nothing wrong is made of what is left.

Journals are in unlogged tables, which a server empties when it starts after a crash.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from crm_assets.orchestration.shared_state.postgres_run_locks import PostgresRunLocks
from crm_assets.orchestration.shared_state.state import PostgresState
from crm_assets_tests.away_server import AwayServer, away_server
from crm_assets_tests.extract.test_resume import Reading, ids
from crm_assets_tests.reliability.killed_runs import until

SAVED = "SELECT (SELECT count(*) FROM crm_assets_journals), (SELECT count(*) FROM crm_assets_journal_entries)"


@pytest.fixture
def server() -> Iterator[AwayServer]:
    with away_server() as running:
        yield running


@pytest.fixture
def state(url: str) -> PostgresState:
    PostgresState(url).journals().left_by("crm")
    return PostgresState(url)


def saved(url: str) -> tuple[int, int]:
    with closing(psycopg2.connect(url)) as database, database.cursor() as cursor:
        cursor.execute(SAVED)
        journals, entries = cursor.fetchone() or (0, 0)
        return journals, entries


@pytest.fixture
def crash(url: str) -> Callable[[], None]:
    """Return what makes the server crash: it ends all sessions and recovers, as after ``pg_ctl stop -m immediate``."""

    def crashed() -> None:
        database = psycopg2.connect(url)
        os.kill(database.info.backend_pid, signal.SIGKILL)
        until(lambda: answers(url), 30)
        database.close()

    return crashed


def answers(url: str) -> bool:
    try:
        return saved(url) == (0, 0)
    except psycopg2.Error:
        return False


def crash_at(server: AwayServer, request: int, crash: Callable[[], None]) -> None:
    """Let the instance's database crash while a request waits for its answer."""
    body, left = server._body, iter(range(request, 0, -1))

    def answered(path: list[str], query: dict[str, str]) -> Any:
        if next(left, 0) == 1:
            crash()
        return body(path, query)

    server._body = answered  # type: ignore[method-assign]


def test_a_read_goes_on_without_saving_what_it_reads(
    state: PostgresState, server: AwayServer, crash: Callable[[], None], tmp_path: Path
) -> None:
    reading = Reading(server, tmp_path, state)
    crash_at(server, 20, crash)
    found = reading.run("contacts", "notes")
    assert [len(ids(found[name])) for name in ("contacts", "notes")] == [60, 120]
    assert len(server.asked) == 13 + 60
    (told,) = reading.told
    assert told.startswith(
        "notes: what is read from now on is not saved for resuming (PostgreSQL of the Dagster instan"
    )


def test_a_resumed_read_is_never_short_and_the_next_one_starts_over(
    state: PostgresState, url: str, server: AwayServer, crash: Callable[[], None], tmp_path: Path
) -> None:
    reading = Reading(server, tmp_path, state)
    assert not reading.run("contacts", "notes", stays=40)["notes"].report.complete
    assert saved(url)[1] > 40
    crash_at(server, 3, crash)
    found = reading.run("contacts", "notes")
    assert len(ids(found["contacts"])) == 60
    assert not found["notes"].report.complete
    assert "a page that an interrupted run saved cannot be read" in found["notes"].report.reason
    assert len(ids(reading.run("contacts", "notes")["notes"])) == 120
    assert len(server.asked) == 13 + 60
    assert saved(url) == (0, 0)


def test_what_was_saved_before_is_gone_for_the_next_run(
    state: PostgresState, url: str, server: AwayServer, crash: Callable[[], None], tmp_path: Path
) -> None:
    reading = Reading(server, tmp_path, state)
    assert not reading.run("contacts", "notes", stays=40)["notes"].report.complete
    locks = PostgresRunLocks(url)
    with locks.hold("a run", "a step"):
        crash()
        assert locks.abandoned() == ["a run"], "its lock is gone, too"
    assert locks.abandoned() == []
    found = reading.run("contacts", "notes")
    assert [len(ids(found[name])) for name in ("contacts", "notes")] == [60, 120]
    assert found["notes"].report.resumed == ""
    assert len(server.asked) == 13 + 60
