"""The code location: composed from the connections file, without I/O to anything else, secrets or network."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from crm_assets.declarations.connections import Connection, load_connections
from crm_assets.orchestration.assets import connection_assets, endpoint_specs
from crm_assets.orchestration.automation.compose import automation
from crm_assets.orchestration.dlt_integration import StagedDltResource
from crm_assets.orchestration.freshness import with_freshness
from crm_assets.orchestration.resources import CrmSecrets
from crm_assets.settings import Settings
from crm_assets.warehouse.warehouse import Warehouse


@dg.definitions
def defs() -> dg.Definitions:
    """Return everything the connections file asks for."""
    settings = Settings.from_env()
    connections = load_connections(
        settings.connections_file, sandbox_url=settings.sandbox_url, schedules_on=settings.schedules_on
    )
    return build_definitions(connections, Warehouse(settings.data_folder, settings.destination, settings.lock_timeout))


def build_definitions(connections: Sequence[Connection], warehouse: Warehouse) -> dg.Definitions:
    """Return the assets, checks and automation of some connections.

    Args:
        connections: The accounts; their order staggers the schedules.
        warehouse: Where the tables are.
    """
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    for connection in connections:
        assets += with_freshness(connection, connection_assets(connection, warehouse))
        assets += endpoint_specs(connection)
    read = dg.Definitions(
        assets=assets,
        resources={"secrets": CrmSecrets(), "loader": StagedDltResource()},
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(read, automation(connections, warehouse))
