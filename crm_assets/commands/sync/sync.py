"""Sync: materialize without the UI, connections side by side, each in a process of its own."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from importlib import import_module
from typing import Any

import dagster as dg

from crm_assets.commands.dagster_home import open_instance
from crm_assets.commands.sync.orphaned_runs import mark_orphaned, run_lock
from crm_assets.commands.sync.results import AssetResult, interrupted, outcomes_of
from crm_assets.commands.sync.run_requests import PlannedRun, SyncRequest, chosen, units
from crm_assets.commands.sync.workers import SendMessage, WorkerExit, run_workers, signals_as_interrupt
from crm_assets.commands.workspace import Workspace
from crm_assets.errors import CrmAssetsError
from crm_assets.extract import progress
from crm_assets.orchestration.keys import CONNECTION_TAG

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run(workspace: Workspace, order: SyncRequest, listener: Listener) -> list[AssetResult]:
    """Do what is asked for, connections side by side, and return one outcome per asset.

    Raises:
        CommandError: The selection is empty or cannot be parsed.
        KeyboardInterrupt: It was stopped, by Ctrl-C or SIGTERM; no process is left.
    """
    by_connection = chosen(workspace.definitions, order)
    try:
        with signals_as_interrupt():
            if len(by_connection) > 1:
                return list(_side_by_side(workspace, by_connection, order, listener))
            return list(_alone(workspace, by_connection, order, listener))
    except BaseException:
        _tidy(workspace)
        raise


def _alone(
    workspace: Workspace, by_connection: Mapping[str, list[dg.AssetKey]], order: SyncRequest, listener: Listener
) -> Iterator[AssetResult]:
    progress.listen(listener.watch, listener.waiting)
    for name, keys in by_connection.items():
        for outcome in _work(workspace, name, keys, order):
            listener.done(outcome)
            yield outcome


def _tidy(workspace: Workspace) -> None:
    """Clear up after workers that were killed."""
    workspace.warehouse.remove_stale_folders()
    with open_instance(workspace.warehouse.folder) as instance:
        mark_orphaned(instance)


class Listener:
    """Told how far the reads are; the base says nothing."""

    def watch(self, connection: str) -> Any:
        """Return whom a connection's reads tell: resource, pages, rows."""
        return lambda resource, pages, rows: self.read(connection, resource, pages, rows)

    def read(self, connection: str, resource: str, pages: int, rows: int) -> None:
        """Take how far one resource's read is."""

    def waiting(self, connection: str, text: str) -> None:
        """Take what a connection's reads wait for."""

    def done(self, outcome: AssetResult) -> None:
        """Take the outcome of one asset."""


def _side_by_side(
    workspace: Workspace,
    by_connection: Mapping[str, list[dg.AssetKey]],
    order: SyncRequest,
    listener: Listener,
) -> Iterator[AssetResult]:
    _prepare(workspace)
    jobs = {name: partial(_job, workspace, name, keys, order) for name, keys in by_connection.items()}
    missing = dict(by_connection)
    with closing(run_workers(jobs)) as messages:
        for name, message in messages:
            if isinstance(message, WorkerExit):
                if name not in missing:
                    continue
                message = _failed(missing[name], str(message))
                _tidy(workspace)
            if isinstance(message, list):
                missing.pop(name, None)
                for outcome in message:
                    listener.done(outcome)
                    yield outcome
            else:
                tell = listener.waiting if len(message) == 2 else listener.read
                tell(*message)


def _prepare(workspace: Workspace) -> None:
    """Do once, before the processes part, what each of them would do: imports, and the databases of a new instance."""
    import_module("crm_assets.extract.fetch")
    open_instance(workspace.warehouse.folder).dispose()
    gc.collect()  # a forked worker would keep the instance's closed connections open


def _job(workspace: Workspace, name: str, keys: list[dg.AssetKey], order: SyncRequest, send: SendMessage) -> None:
    def watch_of(connection: str) -> Any:
        return lambda resource, pages, rows: send((connection, resource, pages, rows))

    progress.listen(watch_of, lambda connection, text: send((connection, text)))
    send(_work(workspace, name, keys, order))


def _work(workspace: Workspace, name: str, keys: Sequence[dg.AssetKey], order: SyncRequest) -> list[AssetResult]:
    job = workspace.definitions.resolve_implicit_global_asset_job_def()
    try:
        with open_instance(workspace.warehouse.folder) as instance, run_lock(workspace.warehouse.runs) as tags:
            mark_orphaned(instance)
            return [
                outcome
                for unit in units(workspace, name, keys, order)
                for outcome in _run_unit(job, unit, instance, tags)
            ]
    except CrmAssetsError as error:
        return _failed(keys, str(error))


def _failed(keys: Sequence[dg.AssetKey], sentence: str) -> list[AssetResult]:
    return [AssetResult(key.path[0], key.path[-1], sentences=[sentence]) for key in keys]


def _run_unit(
    job: dg.JobDefinition, unit: PlannedRun, instance: dg.DagsterInstance, tags: Mapping[str, str]
) -> list[AssetResult]:
    result = job.execute_in_process(
        instance=instance,
        asset_selection=list(unit.assets),
        tags={**unit.tags, **tags, CONNECTION_TAG: unit.connection},
        raise_on_error=False,
        run_config=_QUIET,
    )
    if interrupted(result):
        raise KeyboardInterrupt
    return outcomes_of(result, unit.connection, unit.assets)
