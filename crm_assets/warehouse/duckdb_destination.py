"""dlt's DuckDB destination, configured as dlt's own, for a database that is attached to an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlt.destinations import duckdb

from crm_assets.extract.decode.duckdb_types import quoted
from crm_assets.warehouse.known_capabilities import KnownCapabilities

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class DuckDb(KnownCapabilities, duckdb):
    """The destination ``duckdb``.

    Args:
        engine: The engine.
        database: Name of the database in it.
    """

    def __init__(self, engine: DuckDBPyConnection, database: str) -> None:
        super().__init__(credentials=engine)
        self._database = database

    @property
    def destination_name(self) -> str:
        """Name of the configuration's section."""
        return "duckdb"

    def configuration(self, initial_config: Any, accept_partial: bool = False) -> Any:
        """Return the configuration, by which each connection that dlt takes of the engine uses the database."""
        config = super().configuration(initial_config, accept_partial)
        config.credentials.local_config = {
            "schema": f"{quoted(self._database)}.main",
            **(config.credentials.local_config or {}),
        }
        return config
