"""The code location: composed from the connections file, without I/O to anything else, secrets or network."""

from __future__ import annotations

import dagster as dg

from crm_assets.declarations.connections import load_connections
from crm_assets.orchestration.assets import connection_assets, endpoint_specs
from crm_assets.orchestration.automation.compose import automation
from crm_assets.orchestration.dlt_integration import StagedDltResource
from crm_assets.orchestration.freshness import with_freshness
from crm_assets.orchestration.resources import CrmSecrets
from crm_assets.warehouse.warehouse import Warehouse


@dg.definitions
def defs() -> dg.Definitions:
    """Return everything the connections file asks for."""
    connections, warehouse = load_connections(), Warehouse()
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
