"""A disk that is full or read-only gives one sentence and leaves every table as it was."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.fetch import fetch
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.read_report import ReadTask
from crm_assets.extract.secrets import secrets_of
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.reliability import times
from crm_assets_tests.reliability.conftest import MakeJob
from crm_assets_tests.reliability.killed_runs import Victim
from crm_assets_tests.reliability.test_crash import left_behind, rows_of, whole

NAME = "service_crm"
_CAPABILITIES = 0x20080522


def no_file_beyond(size: int) -> None:
    """Let the system refuse every write beyond a size, as a full disk does."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def heed_permissions() -> None:
    """Give up the superuser's right to write what is read-only; nothing changes for anybody else."""
    header, nothing = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None, use_errno=True).capset(header, nothing) == 0, os.strerror(ctypes.get_errno())


@pytest.mark.parametrize("size", [1_000, 60_000, *range(5_000, times(0, 60_000), 5_000)])
def test_a_full_disk(size: int, house: Build, job: MakeJob, connections: dict[str, Connection], tmp_path: Path) -> None:
    """The disk fills up in the course of the first load: early, later, and almost at its end."""
    connection = only(connections[NAME], "customers", "tickets")
    mine, after = house(connection), house(connection, folder=tmp_path / "after")
    assert all(result.success for result in after.load(NAME))
    told = Victim(job(connection, before=partial(no_file_beyond, size))).told()
    assert not told.succeeded
    assert len(told.sentences) == 1
    assert re.search(r"(could not be written|cannot be opened): .*File too large", told.sentences[0])
    for name, rows in rows_of(mine, NAME).items():
        assert whole(set(), rows_of(after, NAME)[name], rows)
    assert all(result.success for result in mine.load(NAME))
    assert mine.snapshot(NAME) == after.snapshot(NAME)
    assert left_behind(mine) == []


def test_a_spool_that_cannot_be_written_stops_its_resource_alone(
    house: Build, connections: dict[str, Connection], tmp_path: Path
) -> None:
    mine = house(only(connections[NAME], "customers", "contacts"))
    connection = mine.connections[NAME]
    folder = tmp_path / "spools"
    (folder / "contacts.parquet").mkdir(parents=True)
    secrets = secrets_of(connection)
    tasks = [ReadTask(resource) for resource in connection.system.resources]
    readings = {
        reading.task.resource.name: reading
        for reading in fetch(connection, tasks, secrets, folder, RateLimiter(tmp_path / "budget", None))
    }
    assert readings["customers"].report.complete
    assert readings["contacts"].staged is None
    reason = readings["contacts"].report.reason
    assert reason.startswith(f"{NAME}.contacts: its rows cannot be written to {tmp_path}: ")
    assert reason.endswith("Is a directory")


def seal(folder: Path) -> None:
    folder.chmod(0o555)


def seal_all(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)


@pytest.mark.parametrize("sealed", [seal, seal_all])
def test_a_read_only_disk(
    sealed: Callable[[Path], None], house: Build, job: MakeJob, connections: dict[str, Connection]
) -> None:
    connection = only(connections[NAME], "customers")
    mine = house(connection)
    assert all(result.success for result in mine.load(NAME))
    before = mine.warehouse.database.read_bytes()
    sealed(mine.folder)
    told = Victim(job(connection, before=heed_permissions)).told()
    for path in [mine.folder, *mine.folder.rglob("*")]:
        path.chmod(0o700)
    assert not told.succeeded
    assert len(told.sentences) == 1
    assert "cannot be written" in told.sentences[0] or "could not be written" in told.sentences[0], told
    assert mine.warehouse.database.read_bytes() == before
