"""dlt's DuckLake destination, configured as dlt's own."""

from __future__ import annotations

import duckdb as installed
from dlt.destinations import ducklake

from crm_assets.warehouse.errors import WarehouseError
from crm_assets.warehouse.known_capabilities import KnownCapabilities


class DuckLake(KnownCapabilities, ducklake):
    """The destination ``ducklake``."""

    @property
    def destination_name(self) -> str:
        """Name of the configuration's section."""
        return "ducklake"


def open_ducklake() -> DuckLake:
    """Return the destination.

    Raises:
        WarehouseError: dlt 1.31 cannot close a lake with DuckDB 2, whose relations have no ``fetchone``.
    """
    version = installed.__version__
    if int(version.partition(".")[0]) > 1:
        raise WarehouseError(
            f"The destination ducklake needs DuckDB 1, and DuckDB {version} is installed: dlt cannot close a lake with "
            f"it. Run: pip install 'duckdb<2'. Nothing was changed."
        )
    return DuckLake()
