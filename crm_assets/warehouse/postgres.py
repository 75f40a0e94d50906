"""PostgreSQL as dlt's destination, mended where it loses a difference: an empty text is no NULL.

In dlt's CSV files texts are quoted and NULLs are not, but its COPY reads both as NULL (``FORCE_NULL``).
"""

from __future__ import annotations

from typing import Any

from dlt.common.storages import FileStorage
from dlt.destinations import postgres
from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresCsvCopyJob


class _CopyJob(PostgresCsvCopyJob):
    def run(self) -> None:
        client = self._job_client.sql_client
        with FileStorage.open_zipsafe_ro(self._file_path, "rb") as file:
            names = [name.strip('"') for name in file.readline().decode().strip().split(",")]
            columns = ", ".join(client.escape_column_name(name, quote=True) for name in names)
            table = client.make_qualified_table_name(self.load_table_name)
            with client.begin_transaction(), client.native_connection.cursor() as cursor:
                cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN WITH (FORMAT CSV, ENCODING 'UTF8')", file)


class _Client(PostgresClient):
    def create_load_job(self, *given: Any, **named: Any) -> Any:
        job = super().create_load_job(*given, **named)
        return _CopyJob(job._file_path) if isinstance(job, PostgresCsvCopyJob) else job


class Postgres(postgres):
    """The destination ``postgres``, configured as dlt's own."""

    @property
    def destination_name(self) -> str:
        """Name of the configuration's section."""
        return "postgres"

    @property
    def client_class(self) -> type[PostgresClient]:
        """The client whose load jobs are mended."""
        return _Client
