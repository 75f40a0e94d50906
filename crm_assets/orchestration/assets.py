"""Declarations to Dagster assets."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import dagster as dg

from crm_assets.declarations.connections import Connection
from crm_assets.declarations.models.system import Resource
from crm_assets.orchestration.checks import check_specs
from crm_assets.orchestration.dlt_integration import CrmTranslator, StagedDltResource, asset_specs
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
    by_partitions = sorted(connection.system.resources, key=_partitions_name)
    for suffix, resources in groupby(by_partitions, key=_partitions_name):
        yield _step(connection, warehouse, list(resources), specs, suffix)


def endpoint_specs(connection: Connection) -> list[dg.AssetSpec]:
    """Return the remote lists as external assets, upstream of the tables."""
    return [
        dg.AssetSpec(
            endpoint_key(connection, resource),
            description=f"`{resource.endpoint.method} {resource.endpoint.path}` of {connection.system.title}",
            group_name=connection.name,
            kinds={"rest"},
            metadata={"dagster/uri": f"{connection.base_url.rstrip('/')}/{resource.endpoint.path.lstrip('/')}"},
        )
        for resource in connection.system.resources
    ]


def endpoint_key(connection: Connection, resource: Resource) -> dg.AssetKey:
    """Return the key of a remote list."""
    return dg.AssetKey(["api", connection.name, resource.name])


def asset_key(connection: Connection, resource: str) -> dg.AssetKey:
    """Return the key of a resource's table."""
    return dg.AssetKey([connection.name, resource])


def _partitions_name(resource: Resource) -> str:
    window = resource.window
    return f"{window.grain}{window.days_ahead or ''}" if window else ""


def _specs(connection: Connection, warehouse: Warehouse) -> Callable[[str], dg.AssetSpec]:
    def spec_of(name: str) -> dg.AssetSpec:
        resource = connection.system.resource(name)
        parents = [asset_key(connection, resource.parent.resource)] if resource.parent else []
        return dg.AssetSpec(
            asset_key(connection, name),
            deps=[endpoint_key(connection, resource), *parents],
            description=_description(connection, resource),
            group_name=connection.name,
            kinds={"dlt", warehouse.destination},
            owners=list(connection.owners),
            tags={"crm/system": connection.system.name, "crm/mode": resource.mode},
            metadata=definition_metadata(warehouse.catalog, connection, resource),
            partitions_def=partitions_of(connection, resource.window) if resource.window else None,
        )

    return spec_of


def _description(connection: Connection, resource: Resource) -> str:
    read = {
        "full_refresh": "The whole list is read every time.",
        "incremental": "What changed since the last run is read.",
        "window": "Read by date: one partition is one window of the API.",
    }[resource.mode]
    return f"{resource.description}\n\n{connection.system.title}, `{resource.endpoint.path}`. {read}"


def _step(
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
        name=f"{connection.name}_{suffix}" if suffix else connection.name,
        specs=[specs[resource.name] for resource in resources],
        check_specs=[check for resource in resources for check in check_specs(connection, resource)],
        can_subset=True,
        pool=connection.name,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
    )
    def read(context: dg.AssetExecutionContext, secrets: CrmSecrets, loader: StagedDltResource) -> Iterator[Any]:
        step = ConnectionRun(
            context=context,
            connection=connection,
            resources=list(resources),
            partitions=partitions,
            warehouse=warehouse,
            secrets=secrets,
            loader=loader,
            translator=translator,
        )
        yield from step.run()

    return read
