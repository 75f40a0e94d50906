"""What of dlt is not public: its PostgreSQL client, the job that copies one CSV file, and the text of a warning."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresCsvCopyJob

__all__ = ["CsvCopyJob", "PostgresClient", "PostgresCsvCopyJob", "without_json_warning"]


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


@contextmanager
def without_json_warning() -> Iterator[None]:
    """Suppress dlt's warning that hints differ from the Arrow schema: every JSON column is text in Arrow."""
    logger = logging.getLogger("dlt")
    logger.addFilter(_not_of_hints)
    try:
        yield
    finally:
        logger.removeFilter(_not_of_hints)


def _not_of_hints(record: logging.LogRecord) -> bool:
    return "several column hints were different" not in record.getMessage()
