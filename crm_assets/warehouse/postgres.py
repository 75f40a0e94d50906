"""dlt's PostgreSQL destination, with sessions that end with their machine, and a COPY that keeps empty texts.

In dlt's CSV files texts are quoted and NULLs are not, but its COPY reads both as NULL (``FORCE_NULL``).
"""

from __future__ import annotations

from typing import Any

from dlt.common.storages import FileStorage
from dlt.destinations import postgres

from crm_assets.warehouse.dlt_compat import CsvCopyJob, PostgresClient, PostgresCsvCopyJob, SessionClient
from crm_assets.warehouse.known_capabilities import KnownCapabilities

_LOST_AFTER = {
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "50000",
}
"""The server ends the sessions of a machine that is gone after 50 s; by default they would hold locks for hours."""
_PLANS = {"jit": "off"}
"""Finding few rows in a large table looks expensive to the server, which would compile the query for half a second."""
_SERVER_LOST_AFTER = {
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "50000",
}
"""The same for a server that is gone, where the URL of the destination sets nothing else."""
_END_SESSIONS = """
SELECT CASE WHEN usename = current_user THEN pg_terminate_backend(pid) END FROM pg_stat_activity
WHERE application_name = %s AND datname = current_database()
"""


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
    def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:
        super().__init__(schema, config, capabilities)
        self.sql_client = SessionClient(*self.create_dataset_names(schema, config), config.credentials, capabilities)

    def create_load_job(self, table: Any, file_path: str, load_id: str, restore: bool = False) -> Any:
        job = super().create_load_job(table, file_path, load_id, restore)
        return _CopyJob(file_path) if isinstance(job, PostgresCsvCopyJob) else job


class Postgres(KnownCapabilities, postgres):
    """The destination ``postgres``, configured as dlt's own."""

    _application: str | None = None
    """Name of the sessions that dlt opens for a load, in the server's list of sessions."""

    @property
    def destination_name(self) -> str:
        """Name of the configuration's section."""
        return "postgres"

    @property
    def client_class(self) -> type[PostgresClient]:
        """The client with our COPY."""
        return _Client

    def configuration(self, initial_config: Any, accept_partial: bool = False) -> Any:
        """Return the configuration, with how soon either side notices that the other is gone, and how to plan."""
        config = super().configuration(initial_config, accept_partial)
        query = {**_SERVER_LOST_AFTER, **(config.credentials.query or {})}
        settings = [f"-c{name}={value}" for name, value in {**_LOST_AFTER, **_PLANS}.items()]
        query["options"] = " ".join([*settings, query.get("options", "")]).strip()
        if self._application:
            query["application_name"] = self._application
        config.credentials.query = query
        return config

    def begin_load(self, client: SessionClient, dataset: str) -> bool:
        """Take the lock of a schema's writers on all machines, if it is free and the last of them left no session.

        A load has one session with the lock, and dlt opens others for it. Those of a process that was killed or whose
        machine is gone may end later than the first one, and hold tables until then, so they are ended here.

        Args:
            client: Its session gets the lock; the server frees it when that ends.
            dataset: The schema.
        """
        if not client.keeps_session:
            with client.execute_query("SELECT pg_try_advisory_lock(hashtext(%s))", f"crm_assets.{dataset}") as cursor:
                if cursor.fetchone() != (True,):
                    return False
            client.keep_session()
        self._application = f"crm_assets:{dataset}"
        with client.execute_query(_END_SESSIONS, self._application) as cursor:
            return not cursor.fetchall()
