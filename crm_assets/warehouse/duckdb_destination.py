"""dlt's DuckDB destination, configured as dlt's own."""

from __future__ import annotations

from dlt.destinations import duckdb

from crm_assets.warehouse.known_capabilities import KnownCapabilities


class DuckDb(KnownCapabilities, duckdb):
    """The destination ``duckdb``."""

    @property
    def destination_name(self) -> str:
        """Name of the configuration's section."""
        return "duckdb"
