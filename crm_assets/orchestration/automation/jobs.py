"""Jobs: what of a connection is read in one run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.dagster_compat import UnresolvedAssetJobDefinition
from crm_assets.orchestration.keys import CONNECTION_TAG, MODE_TAG, asset_key, partitions_kind, qualified_name
from crm_assets.orchestration.partitions import partitions_of


@dataclass(frozen=True)
class ConnectionJob:
    """A job, and what it reads."""

    connection: Connection
    resources: tuple[Resource, ...]
    definition: UnresolvedAssetJobDefinition
    partitions: dg.TimeWindowPartitionsDefinition | None = None
    """The windows as partitions; ``None`` for full and incremental reads."""

    @property
    def tags(self) -> dict[str, str]:
        """The tags of its runs, by which the runs page filters."""
        return run_tags(self.connection, windows=self.partitions is not None)

    @property
    def incrementals(self) -> tuple[Resource, ...]:
        """Resources whose changes can be asked for: those with a cursor and a single list."""
        return tuple(resource for resource in self.resources if resource.incremental and not resource.parent)


def jobs_of(connection: Connection) -> list[ConnectionJob]:
    """Return a connection's jobs: ``<connection>_lists`` for lists, ``<connection>_windows`` for windows.

    The connection's own name is taken by the step that reads it. Dagster wants one kind of partitions per job: where
    windows differ in grain or days ahead, each kind has a job that is named after it, ``<connection>_windows_daily90``.
    """
    unwindowed = [resource for resource in connection.system.tables if not resource.window]
    kinds = groupby(sorted(connection.system.tables, key=partitions_kind), key=partitions_kind)
    windowed = {kind: list(resources) for kind, resources in kinds if kind}
    jobs = [_connection_job(connection, f"{qualified_name(connection)}_lists", unwindowed)] if unwindowed else []
    for kind, resources in windowed.items():
        name = f"{qualified_name(connection)}_windows"
        jobs.append(_connection_job(connection, name if len(windowed) == 1 else f"{name}_{kind}", resources))
    return jobs


def run_tags(connection: Connection, *, windows: bool) -> dict[str, str]:
    """Return the tags of runs that read lists of a connection, or windows."""
    return {CONNECTION_TAG: connection.name, MODE_TAG: "windows" if windows else "lists"}


def _connection_job(connection: Connection, name: str, resources: list[Resource]) -> ConnectionJob:
    window = resources[0].window
    definition = dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*(asset_key(connection, resource.name) for resource in resources)),
        description=f"Reads {', '.join(resource.name for resource in resources)} of {connection.system.title}.",
        tags=run_tags(connection, windows=window is not None),
    )
    partitions = partitions_of(connection, window) if window else None
    return ConnectionJob(connection, tuple(resources), definition, partitions)
