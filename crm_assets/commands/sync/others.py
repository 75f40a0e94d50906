"""Assets of one's own that are selected together with tables: run after them, in one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import dagster as dg

from crm_assets.commands.dagster_home import open_instance
from crm_assets.commands.sync.results import AssetResult, interrupted, results_of
from crm_assets.commands.workspace import Workspace
from crm_assets.orchestration.keys import asset_key

QUIET_CONSOLE = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_others(
    workspace: Workspace, keys: Sequence[dg.AssetKey], tables: Sequence[AssetResult]
) -> Iterator[AssetResult]:
    """Materialize assets that are not ours; what depends on a table that failed waits for it.

    Args:
        workspace: Has the definitions.
        keys: What to materialize.
        tables: What became of the tables.
    """
    if not keys:
        return
    graph = workspace.definitions.get_repository_def().asset_graph
    failed = [asset_key(workspace.connection(one.connection), one.resource) for one in tables if not one.succeeded]
    waiting = dg.AssetSelection.assets(*failed).downstream().resolve(graph) if failed else set()
    partitioned = {key for key in keys if graph.get(key).partitions_def}
    runnable = [key for key in keys if key not in waiting | partitioned]
    for key in keys:
        if key not in runnable:
            reason = (
                "a table it depends on failed" if key in waiting else "it has partitions: materialize it in Dagster"
            )
            yield AssetResult(_group(graph, key), key.path[-1], sentences=[f"not materialized, {reason}"])
    if runnable:
        yield from _run_groups(workspace, graph, runnable)


def _run_groups(workspace: Workspace, graph: Any, keys: list[dg.AssetKey]) -> Iterator[AssetResult]:
    job = workspace.definitions.resolve_implicit_global_asset_job_def()
    with open_instance(workspace.warehouse.folder) as instance:
        run = job.execute_in_process(
            instance=instance, asset_selection=keys, raise_on_error=False, run_config=QUIET_CONSOLE
        )
    if interrupted(run):
        raise KeyboardInterrupt
    for group, own in groupby(sorted(keys, key=lambda key: _group(graph, key)), key=lambda key: _group(graph, key)):
        yield from results_of(run, group, [*own])


def _group(graph: Any, key: dg.AssetKey) -> str:
    return str(graph.get(key).group_name)
