"""Locks of runs in the instance's PostgreSQL: a row for each part of a run, and an advisory lock for each row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg2

from crm_assets.orchestration.shared_state.database import connect, unreachable

_LOCK = "hashtextextended('crm_assets ' || %s || ' ' || %s, 0)"


@dataclass(frozen=True)
class PostgresRunLocks:
    """Advisory locks, which the server frees when a process dies, and half a minute after a machine is gone.

    Attributes:
        url: The instance's database.
    """

    url: str
    shared: bool = field(default=True, init=False)

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
            raise unreachable("the list of runs that are worked on", error) from error

    def _execute(self, database: Any, sql: str, *parameters: str) -> list[Any]:
        try:
            with database.cursor() as cursor:
                cursor.execute(sql, parameters)
                return list(cursor.fetchall()) if cursor.description else []
        except psycopg2.Error as error:
            raise unreachable("the list of runs that are worked on", error) from error
