"""Everything of some connections as Dagster definitions, for the checkout and for anybody's project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from crm_assets.declarations.connections import load_connections
from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.assets import api_spec, connection_assets
from crm_assets.orchestration.automation.compose import automation as automation_of
from crm_assets.orchestration.dlt_integration import StagedDltResource
from crm_assets.orchestration.freshness import with_freshness
from crm_assets.orchestration.keys import qualified_name
from crm_assets.orchestration.report.asset import report_asset, report_schedule
from crm_assets.orchestration.resources import CrmSecrets
from crm_assets.settings import Settings
from crm_assets.warehouse.warehouse import Warehouse

_MADE: dict[str, tuple[Connection, Warehouse]] = {}
"""What definitions were made of in this process: Dagster's definitions do not say it."""


def made() -> list[tuple[Connection, Warehouse]]:
    """Return the connections of all definitions that this process has made, each with its warehouse."""
    return [*_MADE.values()]


def build_defs(
    connections: str | Path | None = None,
    *,
    data_dir: str | Path | None = None,
    destination: str | None = None,
    key_prefix: str | Sequence[str] = (),
    group: str | None = None,
    automation: bool = True,
) -> dg.Definitions:
    """Return the assets, checks, schedules and sensors of a connections file, to be merged with your own definitions.

    The executor is yours. Resources and sensors are named ``crm_…``. What is left out is taken from the environment
    (``CRM_ASSETS_CONNECTIONS``, ``CRM_ASSETS_DATA``, ``CRM_ASSETS_DESTINATION``), else ``connections.yaml``, ``data``
    and ``duckdb``. Nothing is requested, no secret is looked up and no file but the connections file is opened.

    Args:
        connections: The connections file. Paths in it are relative to it.
        data_dir: Folder of the DuckDB file, rate limits, and the runs' working files.
        destination: Name of a dlt destination; dlt's own configuration has its credentials.
        key_prefix: What asset keys begin with: ``[*key_prefix, connection, resource]``.
        group: One asset group for all tables; each connection has its own when left out.
        automation: Whether jobs, schedules and sensors are included.

    Raises:
        SpecError: The file or one of its connections cannot be used.
    """
    settings = Settings.from_env()
    loaded = load_connections(
        Path(connections or settings.connections_file),
        sandbox_url=settings.sandbox_url,
        schedules_on=settings.schedules_on,
    )
    prefix = (key_prefix,) if isinstance(key_prefix, str) else tuple(key_prefix)
    placed = {"key_prefix": prefix, "group": group}
    return connection_definitions(
        [connection.model_copy(update=placed) for connection in loaded],
        Warehouse(
            Path(data_dir or settings.data_folder),
            destination or settings.destination,
            settings.lock_timeout,
            settings.resume_hours,
        ),
        automation=automation,
    )


def connection_definitions(
    connections: Sequence[Connection], warehouse: Warehouse, *, automation: bool = True
) -> dg.Definitions:
    """Return the definitions of loaded connections.

    Args:
        connections: The accounts; their order staggers the schedules.
        warehouse: Where the tables are.
        automation: Whether jobs, schedules and sensors are included.
    """
    _MADE.update({qualified_name(connection): (connection, warehouse) for connection in connections})
    assets: list[dg.AssetsDefinition | dg.AssetSpec] = []
    for connection in connections:
        assets += with_freshness(connection, connection_assets(connection, warehouse))
        assets.append(api_spec(connection))
    tables = dg.Definitions(assets=assets, resources={"crm_secrets": CrmSecrets(), "crm_loader": StagedDltResource()})
    report = dg.Definitions(assets=[report_asset(connections, warehouse)] if connections else [])
    if not automation:
        return dg.Definitions.merge(tables, report)
    scheduled = dg.Definitions(schedules=[report_schedule(connections)] if connections else [])
    return dg.Definitions.merge(tables, report, scheduled, automation_of(connections, warehouse))
