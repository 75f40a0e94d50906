"""dlt's PostgreSQL destination, with a COPY that keeps an empty text apart from NULL.

In dlt's CSV files texts are quoted and NULLs are not, but its COPY reads both as NULL (``FORCE_NULL``).
"""

from __future__ import annotations

from typing import Any

from dlt.common.storages import FileStorage
from dlt.destinations import postgres

from crm_assets.warehouse.dlt_compat import CsvCopyJob, PostgresClient, PostgresCsvCopyJob
from crm_assets.warehouse.known_capabilities import KnownCapabilities


class _CopyJob(CsvCopyJob):
    def run(self) -> None:
        client = self.sql_client
        with FileStorage.open_zipsafe_ro(self.path, "rb") as file:
            names = [name.strip('"') for name in file.readline().decode().strip().split(",")]
            columns = ", ".join(client.escape_column_name(name, quote=True) for name in names)
            table = client.make_qualified_table_name(self.load_table_name)
            with client.begin_transaction(), client.native_connection.cursor() as cursor:
                cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN WITH (FORMAT CSV, ENCODING 'UTF8')", file)


class _Client(PostgresClient):
    def create_load_job(self, table: Any, file_path: str, load_id: str, restore: bool = False) -> Any:
        job = super().create_load_job(table, file_path, load_id, restore)
        return _CopyJob(file_path) if isinstance(job, PostgresCsvCopyJob) else job


class Postgres(KnownCapabilities, postgres):
    """The destination ``postgres``, configured as dlt's own."""

    @property
    def destination_name(self) -> str:
        """Name of the configuration's section."""
        return "postgres"

    @property
    def client_class(self) -> type[PostgresClient]:
        """The client with our COPY."""
        return _Client
