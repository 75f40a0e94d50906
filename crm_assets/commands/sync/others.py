"""Assets of one's own that are selected together with tables: run after them, partitioned ones by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import dagster as dg

from crm_assets.commands.dagster_home import open_instance
from crm_assets.commands.sync.results import AssetResult, interrupted, results_of
from crm_assets.commands.sync.run_requests import partition_keys
from crm_assets.commands.workspace import Workspace
from crm_assets.date_range import DateRange
from crm_assets.extract.signals import no_signal_lost
from crm_assets.orchestration.keys import asset_key

QUIET_CONSOLE = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_others(
    workspace: Workspace, keys: Sequence[dg.AssetKey], tables: Sequence[AssetResult], days: DateRange | None
) -> Iterator[AssetResult]:
    """Materialize assets that are not ours; what depends on an asset that failed waits for it.

    Args:
        workspace: Has the definitions.
        keys: What to materialize.
        tables: What became of the tables.
        days: Their partitions; the newest when left out.
    """
    if not keys:
        return
    graph = workspace.definitions.get_repository_def().asset_graph
    ordered = [key for key in graph.toposorted_asset_keys if key in keys]
    failed = {asset_key(workspace.connection(one.connection), one.resource) for one in tables if not one.succeeded}
    for partitions, batch in groupby(ordered, key=lambda key: graph.get(key).partitions_def):
        own = [*batch]
        waiting = dg.AssetSelection.assets(*failed).downstream().resolve(graph) if failed else set()
        runnable = [key for key in own if key not in waiting]
        for key in own:
            if key in waiting:
                yield _not_materialized(graph, key, "an asset it depends on failed")
        if not runnable:
            continue
        for key, result in zip(runnable, _materialized(workspace, graph, runnable, partitions, days), strict=True):
            failed |= set() if result.succeeded else {key}
            yield result


def _materialized(
    workspace: Workspace, graph: Any, keys: list[dg.AssetKey], partitions: Any, days: DateRange | None
) -> list[AssetResult]:
    """Run assets that share their partitions, and return one result for each, in their order."""
    match partitions:
        case None:
            return _run(workspace, graph, keys, None)
        case dg.TimeWindowPartitionsDefinition():
            newest = partitions.get_last_partition_key()
            names = partition_keys(partitions, days) if days else [newest] if newest else []
            runs = [_run(workspace, graph, keys, name) for name in names]
            missing = [_not_materialized(graph, key, "none of its partitions has begun") for key in keys]
            return [_merged(names, results) for results in zip(*runs, strict=True)] or missing
        case _:
            reason = "its partitions are not dates: materialize it in Dagster"
            return [_not_materialized(graph, key, reason) for key in keys]


def _run(workspace: Workspace, graph: Any, keys: list[dg.AssetKey], partition: str | None) -> list[AssetResult]:
    job = workspace.definitions.resolve_implicit_global_asset_job_def()
    with no_signal_lost(), open_instance(workspace.warehouse.folder) as instance:
        run = job.execute_in_process(
            instance=instance,
            asset_selection=keys,
            partition_key=partition,
            raise_on_error=False,
            run_config=QUIET_CONSOLE,
        )
    if interrupted(run):
        raise KeyboardInterrupt
    return [result for key in keys for result in results_of(run, _group(graph, key), [key])]


def _merged(partitions: Sequence[str], results: Sequence[AssetResult]) -> AssetResult:
    """Return the newest partition's result, or the first failed one's with the name of its partition."""
    for partition, result in zip(partitions, results, strict=True):
        if not result.succeeded:
            return replace(result, sentences=[f"partition {partition}: {text}" for text in result.sentences])
    return results[-1]


def _not_materialized(graph: Any, key: dg.AssetKey, reason: str) -> AssetResult:
    return AssetResult(_group(graph, key), key.path[-1], sentences=[f"not materialized, {reason}"])


def _group(graph: Any, key: dg.AssetKey) -> str:
    return str(graph.get(key).group_name)
