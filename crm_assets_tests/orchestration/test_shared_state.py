"""What all runs share, in files and in the instance's PostgreSQL: both hold the same."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg2
import pytest
from filelock import FileLock, Timeout

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.system import RateLimit
from crm_assets.declarations.models.token_auth import RefreshTokenAuth
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.rate_file import RateFile
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.http.rate_state import RateStore
from crm_assets.extract.http.tokens import Token
from crm_assets.extract.shared_state import FileState, SharedState
from crm_assets.orchestration.shared_state import database as shared_database
from crm_assets.orchestration.shared_state import postgres_run_locks
from crm_assets.orchestration.shared_state import run_locks as file_run_locks
from crm_assets.orchestration.shared_state.database import connect
from crm_assets.orchestration.shared_state.postgres_run_locks import PostgresRunLocks
from crm_assets.orchestration.shared_state.rates import PostgresRates
from crm_assets.orchestration.shared_state.run_locks import FileRunLocks, RunLocks, mark_abandoned, run_locks
from crm_assets.orchestration.shared_state.state import PostgresState, shared_state
from crm_assets_tests.conftest import Build

LOGIN = RefreshTokenAuth.model_validate(
    {"type": "oauth2_refresh_token", "access_token_url": "https://crm.example.org/token", "refresh_token": "refresh"}
)
FORK = get_context("fork")


@pytest.fixture
def account(connections: dict[str, Connection]) -> Callable[[int | None], Connection]:
    """Return a function that makes an account with a published figure per second, or none."""

    def make(per_second: int | None) -> Connection:
        limit = RateLimit(requests=per_second, per="second") if per_second else None
        found = connections["paging"].model_copy(update={"rate_limit": limit})
        assert found.budget == limit
        return found

    return make


def apart(act: Callable[..., Any], *arguments: Any) -> Pipe:
    """Do something in a process of its own; return where its result comes."""
    ours, theirs = FORK.Pipe()
    FORK.Process(target=lambda: theirs.send(act(*arguments)), daemon=True).start()
    return ours


def reserved(state: SharedState, account: Connection, times: int) -> list[float]:
    rates = state.rate_limiter(account)
    return [rates.reserve() for _ in range(times)]


def test_the_limit_holds_over_all_processes_within_two_percent(
    state: SharedState, account: Callable[[int | None], Connection]
) -> None:
    limited = account(20)
    pipes = [apart(reserved, state, limited, 80) for _ in range(3)]
    moments = sorted(moment for pipe in pipes for moment in pipe.recv())
    busiest = max(sum(first <= moment < first + 1 for moment in moments) for first in moments)
    assert busiest <= 20
    assert (len(moments) - 1) / (moments[-1] - moments[0]) >= 19.6


def test_a_refusal_pauses_all(state: SharedState, account: Callable[[int | None], Connection]) -> None:
    for limited in (account(None), account(50)):
        one, other = state.rate_limiter(limited), state.rate_limiter(limited)
        departure = one.reserve()
        one.slow_down(departure, 30)
        assert other.reserve() - time.time() == pytest.approx(30, abs=0.5)


def test_without_a_figure_nothing_is_kept_until_a_refusal(
    state: SharedState, account: Callable[[int | None], Connection]
) -> None:
    free = account(None)
    assert not store_of(state, free).is_needed
    assert state.rate_limiter(free).reserve() == pytest.approx(time.time(), abs=0.5)
    assert not store_of(state, free).is_needed
    state.rate_limiter(free).slow_down(time.time(), 1)
    assert store_of(state, free).is_needed


def store_of(state: SharedState, account: Connection) -> RateStore:
    if isinstance(state, PostgresState):
        return PostgresRates(state.url, account.name, account.budget)
    assert isinstance(state, FileState)
    return RateFile(state.folder / "budgets" / account.name, account.budget)


def test_another_figure_keeps_what_has_left(state: SharedState, account: Callable[[int | None], Connection]) -> None:
    before = reserved(state, account(20), 5)
    after = reserved(state, account(2), 3)
    assert after[0] > before[-1]
    assert after[2] - after[0] >= 1


def held(state: SharedState, account: Connection, pipe: Pipe) -> None:
    with store_of(state, account).open(time.time(), block=True):
        pipe.send("held")
        time.sleep(60)


def test_what_a_dead_process_held_is_free(
    state: SharedState, account: Callable[[int | None], Connection], url: str
) -> None:
    rates, (ours, theirs) = state.rate_limiter(account(50)), FORK.Pipe()
    rates.reserve()
    holder = FORK.Process(target=held, args=(state, account(50), theirs), daemon=True)
    holder.start()
    assert ours.recv() == "held"
    with pytest.raises(Timeout):
        rates.reserve(block=False)
    os.kill(holder.pid or 0, signal.SIGKILL)
    started = time.monotonic()
    rates.reserve()
    assert time.monotonic() - started < 5
    holder.join()


def test_tokens_are_kept_and_renewed_by_one_at_a_time(
    state: SharedState, account: Callable[[int | None], Connection]
) -> None:
    store, other = (state.token_stores(account(None)).of(LOGIN) for _ in range(2))
    assert store.load() is None
    order = []

    async def renew(mine: Any, name: str) -> None:
        async with mine.turn():
            order.append(name)
            mine.prepare()
            await asyncio.sleep(0.1)
            mine.save(Token(f"token of {name}", 1.5, "refresh 2", "print"))
            order.append(name)

    async def both() -> None:
        await asyncio.gather(renew(store, "one"), renew(other, "two"))

    asyncio.run(both())
    assert order[0] == order[1]
    assert order[2] == order[3]
    assert store.load() == other.load() == Token(f"token of {order[3]}", 1.5, "refresh 2", "print")


def test_the_server_ends_the_session_of_a_lost_machine_within_a_minute(url: str) -> None:
    with closing(connect(url)) as database, database.cursor() as cursor:
        names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
        cursor.execute(
            f"SELECT {', '.join(f'(SELECT setting::int FROM pg_settings WHERE name = {name!r})' for name in names)}"
        )
        idle, interval, count, unacknowledged = cursor.fetchone()
    assert 0 < idle + interval * count <= 60
    assert 0 < unacknowledged <= 60_000


@pytest.fixture
def locks(state: SharedState, tmp_path: Path) -> RunLocks:
    return PostgresRunLocks(state.url) if isinstance(state, PostgresState) else FileRunLocks(tmp_path / "runs")


def working(locks: RunLocks, run_id: str, pipe: Pipe) -> None:
    with locks.hold(run_id, "step"):
        pipe.send("held")
        time.sleep(60)


def test_a_run_is_abandoned_when_its_process_is_gone_and_not_before(locks: RunLocks) -> None:
    run_id, (ours, theirs) = "9f1c7c1e-2b7e-4a53-a2ec-0d5a3a8c7f10", FORK.Pipe()
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.add_run(dg.DagsterRun("job", run_id, status=dg.DagsterRunStatus.STARTED))
        with locks.hold(run_id, "another step"):
            assert mark_abandoned(instance, locks) == []
        assert mark_abandoned(instance, locks) == [], "what has ended is not abandoned"
        worker = FORK.Process(target=working, args=(locks, run_id, theirs), daemon=True)
        worker.start()
        assert ours.recv() == "held"
        assert mark_abandoned(instance, locks) == []
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()
        started = time.monotonic()
        while not (marked := mark_abandoned(instance, locks)):
            assert time.monotonic() - started < 5
        assert marked == [run_id]
        found = instance.get_run_by_id(run.run_id)
        assert found
        assert found.status is dg.DagsterRunStatus.FAILURE
        assert mark_abandoned(instance, locks) == []


def test_a_run_that_just_begins_or_ends_is_not_abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others look when the file of its lock is there and the lock is not taken yet, or is free again."""
    locks, seen = FileRunLocks(tmp_path), list[list[str]]()

    class Watched(FileLock):
        def acquire(self, timeout: float | None = None, **given: Any) -> Any:
            if timeout is None:
                Path(self.lock_file).touch()
                seen.append(locks.abandoned())
            return super().acquire(timeout, **given)

        def release(self, force: bool = False) -> None:
            super().release(force)
            if seen[-1:] != [["looking"]]:
                seen.append(["looking"])
                seen[-1] = locks.abandoned()

    monkeypatch.setattr(file_run_locks, "FileLock", Watched)
    with locks.hold("9f1c7c1e-2b7e-4a53-a2ec-0d5a3a8c7f10", "sync"):
        assert locks.abandoned() == []
    assert len(seen) >= 3
    assert not any(seen)
    assert list(tmp_path.iterdir()) == []


def test_machines_whose_clocks_differ_agree(url: str) -> None:
    limit = RateLimit(requests=10, per="second")
    clocks = {ahead: (lambda ahead=ahead: time.time() + ahead) for ahead in (0, 3600, -3600)}
    rates = {
        ahead: RateLimiter(
            Path("clocks"), limit, clock, open_store=lambda path, limit: PostgresRates(url, path.name, limit)
        )
        for ahead, clock in clocks.items()
    }
    moments = [rates[ahead].reserve() - ahead for _ in range(4) for ahead in rates]
    assert moments == sorted(moments)
    gaps = [second - first for first, second in pairwise(moments)]
    assert gaps == pytest.approx([0.1] * len(gaps), abs=0.05)


def test_a_lost_connection_is_made_anew_and_a_lost_server_is_one_sentence(url: str) -> None:
    store = PostgresRates(url, "lost", RateLimit(requests=10, per="second"))
    rates = RateLimiter(Path("lost"), store.limit, open_store=lambda path, limit: store)
    rates.reserve()
    with psycopg2.connect(url) as database, database.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'crm_assets'")
    rates.reserve()
    gone = PostgresRates("postgresql://loader:s3cret@127.0.0.1:1/none", "lost", None)
    with pytest.raises(ReadError, match="the rate limit of lost is kept in the PostgreSQL") as raised:
        gone.is_needed  # noqa: B018
    assert "s3cret" not in str(raised.value)


def test_a_server_that_was_too_slow_once_is_used_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_database, "_SESSION", "SET statement_timeout = '100ms'")
    limit = RateLimit(requests=10, per="second")
    rates = RateLimiter(Path("slow"), limit, open_store=lambda path, limit: PostgresRates(url, path.name, limit))
    rates.reserve()
    with closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE crm_assets_rates")
        with pytest.raises(ReadError, match="canceling statement due to statement timeout"):
            rates.reserve()
    rates.reserve()


@pytest.fixture(scope="module")
def instance(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    home, storage = tmp_path_factory.mktemp("home"), postgres.replace("postgresql:", "postgresql+psycopg2:")
    (home / "dagster.yaml").write_text(
        f"storage: {{postgres: {{postgres_url: '{storage}'}}}}\ntelemetry: {{enabled: false}}\n"
    )
    with dg.DagsterInstance.from_config(str(home)) as opened:
        yield opened


def test_the_instance_decides(instance: dg.DagsterInstance, url: str, tmp_path: Path) -> None:
    assert shared_state(instance, tmp_path) == PostgresState(url)
    assert run_locks(instance, tmp_path) == PostgresRunLocks(url)
    with dg.DagsterInstance.ephemeral() as other:
        assert shared_state(other, tmp_path) == FileState(tmp_path)
        assert run_locks(other, tmp_path) == FileRunLocks(tmp_path)


def test_a_step_that_cannot_hold_the_lock_of_its_run_is_one_sentence(
    house: Build, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the server has no more connections to give: Dagster has one, and we get none."""
    here = house("paging")
    here.instance.dispose()
    here.instance = instance
    away = "postgresql://loader:s3cret@127.0.0.1:1/none"
    monkeypatch.setattr(postgres_run_locks, "connect", lambda url: connect(away))
    run = here.materialize("paging/by_page")
    assert not run.success
    (said,) = [one.step_failure_data.user_failure_data.description for one in run.get_step_failure_events()]
    assert said.startswith(
        "paging was not read: the list of runs that are worked on is kept in the PostgreSQL of the Dagster instance "
        "(storage in its dagster.yaml), which cannot be used now: connection to server at"
    )
    assert said.endswith("Nothing is requested without it; run again when it answers.")
    assert "s3cret" not in said
    assert not here.sandbox.requests.of("paging")


def test_a_step_holds_the_lock_of_its_run(house: Build, instance: dg.DagsterInstance, url: str) -> None:
    here, seen, done = house("paging"), set[tuple[str, str]](), threading.Event()
    here.instance.dispose()
    here.instance = instance

    def look() -> None:
        with closing(psycopg2.connect(url)) as database, database.cursor() as cursor:
            database.autocommit = True
            while not done.wait(0.01):
                cursor.execute("SELECT to_regclass('crm_assets_runs') IS NOT NULL")
                if cursor.fetchone() == (True,):
                    cursor.execute("SELECT run_id, part FROM crm_assets_runs")
                    seen.update(cursor.fetchall())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        run = here.materialize("paging/by_page")
    finally:
        done.set()
        watcher.join()
    assert run.success, [one.event_specific_data.error.to_string() for one in run.all_events if one.is_step_failure]
    assert seen == {(run.run_id, "paging")}
    assert PostgresRunLocks(url).abandoned() == []
