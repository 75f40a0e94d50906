"""Which runs are worked on: each work holds a lock for as long as its process lives, wherever that is.

Dagster's code server sees the processes it started itself, and other launchers see what their engine reports. Neither
sees a machine that is gone. The lock is a file of this machine, or a session at the instance's PostgreSQL.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import dagster as dg
import psycopg2
from filelock import FileLock, Timeout

from crm_assets.orchestration.shared_state.database import connect, unreachable
from crm_assets.orchestration.shared_state.state import PostgresState, shared_state

_DIED = (
    "The process that worked on this run died, or its machine did, or that lost the Dagster instance; what it had "
    "loaded is kept."
)
_LOCK = "hashtextextended('crm_assets ' || %s || ' ' || %s, 0)"


class RunLocks(Protocol):
    """Where the locks are."""

    def hold(self, run_id: str, part: str) -> AbstractContextManager[None]:
        """Hold a lock while this process works on a run.

        Args:
            run_id: The run.
            part: What of it, such as a step; several may be worked on at once.
        """

    def abandoned(self) -> list[str]:
        """Return the runs of which a part's lock is free though its work has not ended; each is returned once."""


@dataclass(frozen=True)
class FileRunLocks:
    """Locks of this machine, which its system frees when a process dies.

    Attributes:
        folder: Where, made when it is needed.
    """

    folder: Path

    @contextmanager
    def hold(self, run_id: str, part: str) -> Iterator[None]:
        """Hold a lock while this process works on a run."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{run_id}.{part}{self._suffix}"
        try:
            with FileLock(path):
                yield
        finally:
            path.unlink(missing_ok=True)

    def abandoned(self) -> list[str]:
        """Return the runs of this machine that nobody works on any more."""
        found = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path.name.endswith(self._suffix) and _is_free(path):
                found.append(path.name.partition(".")[0])
                path.unlink(missing_ok=True)
        return found

    @property
    def _suffix(self) -> str:
        return f".{platform.node()}.run_lock"


@dataclass(frozen=True)
class PostgresRunLocks:
    """Advisory locks, which the server frees when a process dies, and half a minute after a machine is gone.

    Attributes:
        url: The instance's database.
    """

    url: str

    @contextmanager
    def hold(self, run_id: str, part: str) -> Iterator[None]:
        """Hold a lock while this process works on a run.

        Raises:
            ReadError: The database cannot be used.
        """
        with closing(self._connected()) as database:
            # a row without its lock would be taken for an abandoned run, so the lock comes first and goes last
            self._execute(database, f"SELECT pg_advisory_lock({_LOCK})", run_id, part)
            self._execute(database, "INSERT INTO crm_assets_runs VALUES (%s, %s) ON CONFLICT DO NOTHING", run_id, part)
            try:
                yield
            finally:
                with suppress(psycopg2.Error), database.cursor() as cursor:
                    cursor.execute("DELETE FROM crm_assets_runs WHERE run_id = %s AND part = %s", (run_id, part))

    def abandoned(self) -> list[str]:
        """Return the runs that no machine works on any more.

        Raises:
            ReadError: The database cannot be used.
        """
        with closing(self._connected()) as database:
            rows = self._execute(database, "SELECT run_id, part FROM crm_assets_runs")
            return sorted({run_id for run_id, part in rows if self._is_abandoned(database, run_id, part)})

    def _is_abandoned(self, database: Any, run_id: str, part: str) -> bool:
        if self._execute(database, f"SELECT pg_try_advisory_lock({_LOCK})", run_id, part) != [(True,)]:
            return False
        # whoever ended meanwhile has removed the row itself
        deleted = "DELETE FROM crm_assets_runs WHERE run_id = %s AND part = %s RETURNING 1"
        found = self._execute(database, deleted, run_id, part)
        self._execute(database, f"SELECT pg_advisory_unlock({_LOCK})", run_id, part)
        return bool(found)

    def _connected(self) -> Any:
        try:
            return connect(self.url)
        except psycopg2.Error as error:
            raise unreachable("which runs are worked on", error) from error

    def _execute(self, database: Any, sql: str, *parameters: str) -> list[Any]:
        try:
            with database.cursor() as cursor:
                cursor.execute(sql, parameters)
                return list(cursor.fetchall()) if cursor.description else []
        except psycopg2.Error as error:
            raise unreachable("which runs are worked on", error) from error


def run_locks(instance: dg.DagsterInstance, folder: Path) -> RunLocks:
    """Return the locks of an instance's runs.

    Args:
        instance: If its runs are stored in PostgreSQL, so are the locks: then they may be on several machines.
        folder: Has the files otherwise.
    """
    state = shared_state(instance, folder)
    return PostgresRunLocks(state.url) if isinstance(state, PostgresState) else FileRunLocks(folder)


def mark_abandoned(instance: dg.DagsterInstance, locks: RunLocks) -> list[str]:
    """Mark as failed the runs that nobody works on any more, so that Dagster may retry them; return their ids."""
    marked = []
    for run_id in locks.abandoned():
        run = instance.get_run_by_id(run_id)
        if run and not run.is_finished:
            instance.report_run_failed(run, _DIED)
            marked.append(run_id)
    return marked


def _is_free(path: Path) -> bool:
    try:
        with FileLock(path).acquire(timeout=0):
            return True
    except Timeout:
        return False
