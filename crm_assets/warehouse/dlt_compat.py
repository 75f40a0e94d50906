"""What of dlt is not public: its PostgreSQL clients, and the job that copies one CSV file."""

from __future__ import annotations

from typing import Any

from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresCsvCopyJob
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient

__all__ = ["CsvCopyJob", "PostgresClient", "PostgresCsvCopyJob", "SessionClient"]


class CsvCopyJob(PostgresCsvCopyJob):
    """dlt's job that copies a CSV file into a table, with its file and client as public names."""

    @property
    def path(self) -> str:
        """The file; dlt moves it between making the job and running it, and keeps this up to date."""
        return self._file_path

    @property
    def sql_client(self) -> Any:
        """The connection to the database."""
        return self._job_client.sql_client


class SessionClient(Psycopg2SqlClient):
    """dlt's client, which replaces a lost session by a new one, unless the session held a lock: it may be another's."""

    _kept: Any = None

    @property
    def keeps_session(self) -> bool:
        """Whether statements fail once this session is lost."""
        return self._kept is not None

    def keep_session(self) -> None:
        """Let this session be the last one."""
        self._kept = self._conn

    def open_connection(self) -> Any:
        """Return a new session, or the lost one, in which every statement fails."""
        if self._kept is None:
            return super().open_connection()
        self._conn = self._kept
        return self._conn
