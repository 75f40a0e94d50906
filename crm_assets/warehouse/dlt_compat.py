"""What of dlt is not public: its PostgreSQL client, and the job that copies one CSV file."""

from __future__ import annotations

from typing import Any

from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresCsvCopyJob

__all__ = ["CsvCopyJob", "PostgresClient", "PostgresCsvCopyJob"]


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
