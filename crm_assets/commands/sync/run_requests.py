"""What a sync is asked for, and the Dagster runs that do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg

from crm_assets.commands.workspace import Workspace
from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.errors import CommandError
from crm_assets.extract import progress
from crm_assets.orchestration.automation.jobs import jobs_of
from crm_assets.orchestration.keys import FRESH_TAG, FULL_TAG, asset_key, report_key
from crm_assets.warehouse.loaded_days import due_range
from crm_assets.warehouse.warehouse import Warehouse

_RANGE = "dagster/asset_partition_range_"


@dataclass(frozen=True)
class SyncRequest:
    """What a sync is asked for.

    Args:
        selection: Dagster's asset-selection syntax; everything when left out.
        days: The windows to read; what is due when left out.
        full: Read whole lists where only changes would be read.
        fresh: Start over instead of resuming what an interrupted run has read.
    """

    selection: str | None = None
    days: DateRange | None = None
    full: bool = False
    fresh: bool = False


@dataclass(frozen=True)
class PlannedRun:
    """One Dagster run: assets of one connection that share their partitions."""

    connection: str
    job: str
    """Name of the connection's job with these assets: the run's name on the runs page."""
    assets: tuple[dg.AssetKey, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    """Why there is nothing to run; the connection's other runs are none the worse for it."""


@dataclass(frozen=True)
class Selected:
    """The assets that are selected."""

    tables: Mapping[str, list[dg.AssetKey]]
    """By connection."""
    others: Sequence[dg.AssetKey] = ()
    """Assets of one's own beside them; none unless they are selected by name."""


def select_assets(workspace: Workspace, request: SyncRequest) -> Selected:
    """Return the selected assets; the report is left to Dagster.

    Raises:
        CommandError: The selection is empty or cannot be parsed.
    """
    graph = workspace.definitions.get_repository_def().asset_graph
    keys = set(graph.materializable_asset_keys) - {report_key(connection) for connection in workspace.connections}
    if request.selection:
        try:
            keys &= dg.AssetSelection.from_string(request.selection).resolve(graph)
        except dg.DagsterError as error:
            raise CommandError(
                f"{request.selection!r} is not a valid asset selection; combine with `and`, `or` and `not`, as in "
                "'group:one or group:two'."
            ) from error
    if not keys and not request.selection:
        raise CommandError("There is nothing to read: no connection is declared, or none with a list that is read.")
    if not keys:
        raise CommandError(f"Nothing is selected by {request.selection!r}; `dagster asset list` shows what there is.")
    tables = {
        connection.name: sorted({asset_key(connection, resource.name) for resource in connection.system.tables} & keys)
        for connection in workspace.connections
    }
    others = keys.difference(*tables.values()) if request.selection else ()
    return Selected({name: own for name, own in sorted(tables.items()) if own}, sorted(others))


def plan_runs(
    workspace: Workspace, connection: str, keys: Sequence[dg.AssetKey], request: SyncRequest
) -> list[PlannedRun]:
    """Return the runs that read these assets of a connection: one without partitions, one for each kind of them."""
    graph = workspace.definitions.get_repository_def().asset_graph
    groups: dict[Any, list[dg.AssetKey]] = {}
    for key in keys:
        groups.setdefault(graph.get(key).partitions_def, []).append(key)
    asked = {FULL_TAG: request.full, FRESH_TAG: request.fresh}
    tags = {tag: "true" for tag, given in asked.items() if given}
    account = workspace.connection(connection)
    jobs = {resource.name: job for job in jobs_of(account) for resource in job.resources}
    due = partial(_due, account, workspace.warehouse)
    runs = []
    for partitions, group in groups.items():
        job, dates, problem = jobs[group[0].path[-1]], dict[str, str](), ""
        try:
            dates = _range_tags(partitions, request.days or due(group))
        except CommandError as error:
            problem = str(error)
        runs.append(PlannedRun(connection, job.definition.name, tuple(group), {**tags, **job.tags, **dates}, problem))
    return runs


def _due(connection: Connection, warehouse: Warehouse, keys: Sequence[dg.AssetKey]) -> DateRange | None:
    """Return the days due of a connection's windowed assets, as one range."""
    windowed = [resource for key in keys if (resource := connection.system.resource(key.path[-1])).window]
    if not windowed:
        return None
    today = datetime.now(connection.zone).date()
    if not warehouse.exists:
        ranges = [due_range(None, connection, resource, today) for resource in windowed]
    else:
        say = partial(progress.notices(connection.name), "lock")
        with warehouse.working_folder() as folder, warehouse.session(connection.name, folder, say) as session:
            ranges = [due_range(session, connection, resource, today) for resource in windowed]
    return DateRange(min(dates.start for dates in ranges), max(dates.end for dates in ranges))


def _range_tags(partitions: dg.PartitionsDefinition[str] | None, days: DateRange | None) -> dict[str, str]:
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition) or days is None:
        return {}
    keys = partition_keys(partitions, days)
    return {f"{_RANGE}start": keys[0], f"{_RANGE}end": keys[-1]}


def partition_keys(partitions: dg.TimeWindowPartitionsDefinition, days: DateRange) -> list[str]:
    """Return the partitions that have a part in some days, in their order.

    Raises:
        CommandError: There are none.
    """
    first, last, moment = days.start, days.end - timedelta(days=1), timedelta(microseconds=1)
    if last < first:
        raise CommandError(f"No day is due yet: start_date is {first}.")
    windows = {key: partitions.time_window_for_partition_key(key) for key in partitions.get_partition_keys()}
    keys = [
        key for key, window in windows.items() if first <= (window.end - moment).date() and window.start.date() <= last
    ]
    if not keys:
        raise CommandError(
            f"No partition lies between {first} and {last}: start_date is later, or the days are in the future."
        )
    return keys
