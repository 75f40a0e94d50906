"""The code location: composed from the connections file, without I/O to anything else, secrets or network."""

from __future__ import annotations

import dagster as dg

from crm_assets.assets import connection_assets, endpoint_specs
from crm_assets.automation.compose import automation
from crm_assets.automation.freshness import with_freshness
from crm_assets.bridge import SpoolDltResource
from crm_assets.resources import CrmSecrets
from crm_assets.spec.connections import load_connections
from crm_assets.warehouse import Warehouse


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
        resources={"secrets": CrmSecrets(), "loader": SpoolDltResource()},
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(read, automation(connections, warehouse))
