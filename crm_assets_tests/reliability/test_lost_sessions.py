"""PostgreSQL sessions that end during a load, or outlive it: nobody writes without the lock or waits for them."""

from __future__ import annotations

import io
import os
import signal
import threading
from typing import Any

import pytest
from dlt.common.storages import FileStorage

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.warehouse import commit
from crm_assets.warehouse import postgres as destination
from crm_assets.warehouse.dlt_compat import SessionClient
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import Installation, failure
from crm_assets_tests.reliability.conftest import MakeJob
from crm_assets_tests.reliability.killed_runs import Victim, until

HOLDERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory'"
IN_COPY = "SELECT pid FROM pg_stat_activity WHERE application_name = 'crm_assets:paging' AND query LIKE 'COPY%'"
_STOPPED = threading.Lock()
"""Taken by the first thread that reads a file."""


class _Freezing(io.BytesIO):
    """A file at whose first rows the process stands still, like a machine that is gone."""

    def read(self, size: int | None = -1) -> bytes:
        if not _STOPPED.acquire(blocking=False):  # dlt loads several tables at once
            return super().read(size)
        destination.FileStorage = FileStorage  # type: ignore[misc]
        # to this thread: if another one took it, this one might be through before all stand still
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        return super().read(size)


class _Files:
    @staticmethod
    def open_zipsafe_ro(path: str, mode: str) -> _Freezing:
        with FileStorage.open_zipsafe_ro(path, mode) as file:
            return _Freezing(file.read())


def freeze_in_copy() -> None:
    destination.FileStorage = _Files  # type: ignore[misc, assignment]


@pytest.fixture
def paging_only(connections: dict[str, Connection], postgres: str) -> Connection:
    return only(connections["paging"], "by_page", "by_link")


@pytest.fixture
def here(house: Build, paging_only: Connection) -> Installation:
    made = house(paging_only, destination="postgres", patience=2)
    assert all(result.success for result in made.load("paging"))
    return made


def end_holder(house: Installation) -> None:
    """End the session that has the lock, as the server does when its machine does not answer any more."""
    ((holder),) = house.query(HOLDERS)
    house.query(f"SELECT pg_terminate_backend({holder['pid']})")
    until(lambda: not house.query(HOLDERS))


def test_a_load_that_lost_its_lock_writes_no_further_table(
    here: Installation, sandbox: FaultySandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, merge, merged = here.snapshot("paging"), commit.merge_rows, list[str]()

    def merge_without_lock(session: Any, resource: Resource, *given: Any, **named: Any) -> Any:
        if not merged:
            end_holder(here)
        merged.append(resource.name)
        return merge(session, resource, *given, **named)

    monkeypatch.setattr(commit, "merge_rows", merge_without_lock)
    sandbox.state = 1
    (result,) = here.load("paging")
    assert here.snapshot("paging") == before
    assert len(merged) == 1
    assert "connection already closed. Each table has the rows it had" in failure(result)
    monkeypatch.undo()
    assert all(result.success for result in here.load("paging"))
    assert here.snapshot("paging") != before


def test_what_dlt_held_for_a_lost_machine_is_free_for_the_next_load(
    here: Installation,
    job: MakeJob,
    paging_only: Connection,
    sandbox: FaultySandbox,
) -> None:
    before = here.snapshot("paging")
    lost = Victim(job(paging_only, here.folder.with_name("lost"), destination="postgres", before=freeze_in_copy))
    try:
        until(lambda: here.query(IN_COPY))
        end_holder(here)
        assert here.snapshot("paging") == before
        sandbox.state = 1
        assert [failure(result) for result in here.load("paging") if not result.success] == []
        after = here.snapshot("paging")
        os.kill(lost.process.pid, signal.SIGCONT)
        assert not lost.told().succeeded, "it comes back, and has no lock"
        assert here.snapshot("paging") == after != before
    finally:
        lost.process.kill()
        lost.process.join()
    assert here.query("SELECT 1 FROM information_schema.schemata WHERE schema_name LIKE '%staging%'") == []


def test_both_sides_notice_that_the_other_is_gone(here: Installation) -> None:
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
    with here.warehouse.session("paging", here.folder, print) as session:
        pipeline = session.open_pipeline("paging")
        with pipeline.sql_client() as ours:
            assert isinstance(ours, SessionClient)
            for client in (session.client, ours):
                settings = [client.execute_sql(f"SHOW {name}")[0][0] for name in names]
                assert settings == ["20", "10", "3", "50000"]
                assert ours.native_connection.info.dsn_parameters["keepalives_idle"] == "20"
