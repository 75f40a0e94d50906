"""dlt's DuckDB destination, configured as dlt's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlt.destinations import duckdb
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

from crm_assets.extract.decode.duckdb_types import quoted
from crm_assets.warehouse.known_capabilities import KnownCapabilities

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class DuckDb(KnownCapabilities, duckdb):
    """The destination ``duckdb``."""

    @classmethod
    def of(cls, engine: DuckDBPyConnection, database: str) -> DuckDb:
        """Return the destination that is a database attached to an engine, for each connection that dlt takes of it."""
        return cls(credentials=DuckDbCredentials(engine, local_config={"schema": f"{quoted(database)}.main"}))

    @property
    def destination_name(self) -> str:
        """Name of the configuration's section."""
        return "duckdb"
