"""Sync: materialize without the UI, connections side by side, each in a process of its own."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING
from uuid import uuid4

import dagster as dg

from crm_assets.commands.dagster_home import open_instance
from crm_assets.commands.sync.others import QUIET_CONSOLE, run_others
from crm_assets.commands.sync.results import AssetResult, interrupted, results_of
from crm_assets.commands.sync.run_requests import PlannedRun, SyncRequest, plan_runs, select_assets
from crm_assets.commands.sync.workers import SendMessage, WorkerExit, run_workers, signals_as_interrupt
from crm_assets.commands.workspace import Workspace
from crm_assets.errors import sentence_of
from crm_assets.extract import progress
from crm_assets.extract.signals import no_signal_lost
from crm_assets.orchestration.shared_state.run_locks import mark_abandoned, run_locks

if TYPE_CHECKING:
    from crm_assets.extract.progress import ProgressCallback


def sync_assets(workspace: Workspace, request: SyncRequest, listener: Listener) -> list[AssetResult]:
    """Materialize what is requested, connections side by side, and return one result per asset.

    Raises:
        CommandError: The selection is empty or cannot be parsed.
        KeyboardInterrupt: It was stopped, by Ctrl-C or SIGTERM; no process is left.
    """
    selected = select_assets(workspace, request)
    try:
        with signals_as_interrupt():
            read = _side_by_side if len(selected.tables) > 1 else _alone
            results = list(read(workspace, selected.tables, request, listener))
            for result in run_others(workspace, selected.others, results, request.days):
                listener.done(result)
                results.append(result)
            return results
    except BaseException:  # also Ctrl-C: runs that were started are ended in any case
        with suppress(Exception):  # what went wrong first is what is to be seen
            _tidy(workspace)
        raise


def _alone(
    workspace: Workspace, by_connection: Mapping[str, list[dg.AssetKey]], request: SyncRequest, listener: Listener
) -> Iterator[AssetResult]:
    progress.listen(listener.watch, listener.waiting)
    for name, keys in by_connection.items():
        for result in _work(workspace, name, keys, request):
            listener.done(result)
            yield result


def _tidy(workspace: Workspace) -> None:
    """Remove what killed workers left behind, and mark their runs as failed."""
    workspace.warehouse.remove_stale_folders()
    with open_instance(workspace.warehouse.folder) as instance:
        mark_abandoned(instance, run_locks(instance, workspace.warehouse.runs))


class Listener:
    """Receives the progress of a sync; this base discards it."""

    def watch(self, connection: str) -> ProgressCallback:
        """Return the callback for a connection's reads."""
        return lambda resource, pages, rows: self.read(connection, resource, pages, rows)

    def read(self, connection: str, resource: str, pages: int, rows: int) -> None:
        """Receive the pages and rows of one resource so far."""

    def waiting(self, connection: str, text: str) -> None:
        """Receive what a connection's reads wait for."""

    def done(self, result: AssetResult) -> None:
        """Receive the result of one asset."""


def _side_by_side(
    workspace: Workspace,
    by_connection: Mapping[str, list[dg.AssetKey]],
    request: SyncRequest,
    listener: Listener,
) -> Iterator[AssetResult]:
    _prepare(workspace)
    jobs = {name: partial(_run_job, workspace, name, keys, request) for name, keys in by_connection.items()}
    missing = dict(by_connection)
    with closing(run_workers(jobs)) as messages:
        for name, message in messages:
            if isinstance(message, WorkerExit):
                if name not in missing:
                    continue
                message = _failed(name, missing[name], str(message))
                _tidy(workspace)
            if isinstance(message, list):
                missing.pop(name, None)
                for result in message:
                    listener.done(result)
                    yield result
            else:
                tell = listener.waiting if len(message) == 2 else listener.read
                tell(*message)


def _prepare(workspace: Workspace) -> None:
    """Do once, before the processes part, what each of them would do: imports, and the databases of a new instance."""
    import_module("crm_assets.extract.fetch")
    open_instance(workspace.warehouse.folder).dispose()
    gc.collect()  # a forked worker would keep the instance's closed connections open


def _run_job(workspace: Workspace, name: str, keys: list[dg.AssetKey], request: SyncRequest, send: SendMessage) -> None:
    def watch_of(connection: str) -> ProgressCallback:
        return lambda resource, pages, rows: send((connection, resource, pages, rows))

    progress.listen(watch_of, lambda connection, text: send((connection, text)))
    send(_work(workspace, name, keys, request))


def _work(workspace: Workspace, name: str, keys: Sequence[dg.AssetKey], request: SyncRequest) -> list[AssetResult]:
    try:
        with no_signal_lost(), open_instance(workspace.warehouse.folder) as instance:
            mark_abandoned(instance, run_locks(instance, workspace.warehouse.runs))
            return [
                result
                for planned in plan_runs(workspace, name, keys, request)
                for result in execute(workspace, planned, instance)
            ]
    except Exception as error:
        if sentence := sentence_of(error):
            return _failed(name, keys, sentence)
        raise


def _failed(connection: str, keys: Sequence[dg.AssetKey], sentence: str) -> list[AssetResult]:
    return [AssetResult(connection, key.path[-1], sentences=[sentence]) for key in keys]


def _job_of(workspace: Workspace, planned: PlannedRun) -> dg.JobDefinition:
    """Return the connection's job, or the job of all assets where jobs are left out of one's own definitions."""
    jobs = workspace.definitions.get_repository_def()
    name = planned.job if jobs.has_job(planned.job) else None
    return jobs.get_job(name) if name else workspace.definitions.resolve_implicit_global_asset_job_def()


def execute(workspace: Workspace, planned: PlannedRun, instance: dg.DagsterInstance) -> list[AssetResult]:
    """Execute a planned run in this process and return what became of its assets.

    Raises:
        KeyboardInterrupt: The run was interrupted.
    """
    if planned.problem:
        return _failed(planned.connection, planned.assets, planned.problem)
    run_id = str(uuid4())
    with run_locks(instance, workspace.warehouse.runs).hold(run_id, "sync"):
        result = _job_of(workspace, planned).execute_in_process(
            run_id=run_id,
            instance=instance,
            asset_selection=list(planned.assets),
            tags=planned.tags,
            raise_on_error=False,
            run_config=QUIET_CONSOLE,
        )
    if interrupted(result):
        raise KeyboardInterrupt
    return results_of(result, planned.connection, planned.assets)
