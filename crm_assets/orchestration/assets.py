"""Declarations to Dagster assets."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.checks import check_specs
from crm_assets.orchestration.dlt_integration import CrmTranslator, StagedDltResource, asset_specs
from crm_assets.orchestration.keys import (
    MODE_TAG,
    SYSTEM_TAG,
    api_key,
    asset_key,
    group_name,
    partitions_kind,
    qualified_name,
)
from crm_assets.orchestration.materialize import ConnectionRun
from crm_assets.orchestration.metadata import definition_metadata
from crm_assets.orchestration.partitions import partitions_of
from crm_assets.orchestration.resources import CrmSecrets
from crm_assets.warehouse.load import declared_source
from crm_assets.warehouse.warehouse import Warehouse


def connection_assets(connection: Connection, warehouse: Warehouse) -> Iterator[dg.AssetsDefinition]:
    """Yield the assets of a connection: one step for full and incremental reads, one for each kind of partition."""
    described = asset_specs(declared_source(connection), _specs(connection, warehouse))
    specs = {spec.key.path[-1]: spec for spec in described}
    by_partitions = sorted(connection.system.tables, key=partitions_kind)
    for suffix, resources in groupby(by_partitions, key=partitions_kind):
        yield _connection_step(connection, warehouse, list(resources), specs, suffix)


def api_spec(connection: Connection) -> dg.AssetSpec:
    """Return the API as an external asset, upstream of all tables that are read from it."""
    return dg.AssetSpec(
        api_key(connection),
        description=f"{connection.system.title}: {connection.system.description}",
        group_name=group_name(connection),
        kinds={"rest"},
        metadata={"dagster/uri": connection.base_url, "lists": len(connection.system.resources)},
    )


def _specs(connection: Connection, warehouse: Warehouse) -> Callable[[str], dg.AssetSpec]:
    def spec_of(name: str) -> dg.AssetSpec:
        resource = connection.system.resource(name)
        above = connection.system.resource(resource.parent.resource) if resource.parent else None
        parents = [asset_key(connection, above.name)] if above and above.selected else []
        return dg.AssetSpec(
            asset_key(connection, name),
            deps=[api_key(connection), *parents],
            description=_asset_description(connection, resource),
            group_name=group_name(connection),
            kinds={"dlt", warehouse.destination},
            owners=list(connection.owners),
            tags={SYSTEM_TAG: connection.system.name, MODE_TAG: resource.mode},
            metadata=definition_metadata(warehouse.catalog, connection, resource),
            partitions_def=partitions_of(connection, resource.window) if resource.window else None,
        )

    return spec_of


def _asset_description(connection: Connection, resource: Resource) -> str:
    read = {
        "full_refresh": "The whole list is read every time.",
        "incremental": "What changed since the last run is read.",
        "window": "Read by date: one partition is one window of the API.",
    }[resource.mode]
    return f"{resource.description}\n\n{connection.system.title}, `{resource.endpoint.path}`. {read}"


def _connection_step(
    connection: Connection,
    warehouse: Warehouse,
    resources: Sequence[Resource],
    specs: dict[str, dg.AssetSpec],
    suffix: str,
) -> dg.AssetsDefinition:
    window = resources[0].window
    partitions = partitions_of(connection, window) if window else None
    translator = CrmTranslator(lambda name: specs[name])

    @dg.multi_asset(
        name=f"{qualified_name(connection)}_{suffix}" if suffix else qualified_name(connection),
        specs=[specs[resource.name] for resource in resources],
        check_specs=[check for resource in resources for check in check_specs(connection, resource)],
        can_subset=True,
        pool=connection.name,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
    )
    def read(
        context: dg.AssetExecutionContext, crm_secrets: CrmSecrets, crm_loader: StagedDltResource
    ) -> Iterator[Any]:
        step = ConnectionRun(
            context=context,
            connection=connection,
            resources=list(resources),
            partitions=partitions,
            warehouse=warehouse,
            secrets=crm_secrets,
            loader=crm_loader,
            translator=translator,
        )
        yield from step.run()

    return read
