"""Sync: materialize without the UI, connections side by side, each in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import dagster as dg

from crm_assets import progress
from crm_assets.abandoned import alive, mark_abandoned
from crm_assets.planning import due_span
from crm_assets.reading import FULL_TAG
from crm_assets.rest.request import Span
from crm_assets.spec.connections import load_connections
from crm_assets.warehouse import Warehouse, WarehouseError
from crm_assets.workers import Ended, Send, side_by_side, terminable

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_RANGE = "dagster/asset_partition_range_"


@dataclass(frozen=True)
class Unit:
    """One Dagster run: assets of one connection that share their partitions."""

    connection: str
    assets: tuple[dg.AssetKey, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What became of one asset."""

    connection: str
    resource: str
    materialized: bool = False
    rows: int | None = None
    loaded: int | None = None
    requests: int = 0
    numbers: dict[str, float] = field(default_factory=dict)
    """Further numbers of the materialization's metadata."""
    checks: dict[str, str] = field(default_factory=dict)
    """Check name to ``passed``, ``warned`` or ``failed``."""
    sentences: list[str] = field(default_factory=list)
    """What the checks that did not pass, or the run, said."""

    @property
    def succeeded(self) -> bool:
        """Whether it was loaded and no check failed."""
        return self.materialized and "failed" not in self.checks.values()


@dataclass(frozen=True)
class Order:
    """What a sync is asked for.

    Args:
        selection: Dagster's asset-selection syntax; everything when left out.
        days: The windows to read; what is due when left out.
        full: Cursors sweep.
    """

    selection: str | None = None
    days: Span | None = None
    full: bool = False


def chosen(definitions: dg.Definitions, order: Order) -> dict[str, list[dg.AssetKey]]:
    """Return the selected assets by connection.

    Raises:
        ValueError: Nothing is selected, or the selection is no selection.
    """
    graph = definitions.get_repository_def().asset_graph
    keys = graph.materializable_asset_keys
    if order.selection:
        try:
            keys &= dg.AssetSelection.from_string(order.selection).resolve(graph)
        except dg.DagsterError as error:
            raise ValueError(f"{order.selection!r} is no asset selection: {error}") from error
    if not keys:
        raise ValueError(f"Nothing is selected by {order.selection!r}; `dagster asset list` shows what there is.")
    by_connection: dict[str, list[dg.AssetKey]] = {}
    for key in sorted(keys):
        by_connection.setdefault(graph.get(key).group_name or "", []).append(key)
    return by_connection


def units(definitions: dg.Definitions, connection: str, keys: Sequence[dg.AssetKey], order: Order) -> list[Unit]:
    """Return the runs that read these assets of a connection: one without partitions, one for each kind of them."""
    graph = definitions.get_repository_def().asset_graph
    groups: dict[Any, list[dg.AssetKey]] = {}
    for key in keys:
        groups.setdefault(graph.get(key).partitions_def, []).append(key)
    tags = {FULL_TAG: "true"} if order.full else {}
    return [
        Unit(connection, tuple(group), {**tags, **_range_tags(partitions, order.days or _due(connection, group))})
        for partitions, group in groups.items()
    ]


def _due(name: str, keys: Sequence[dg.AssetKey]) -> Span | None:
    """Return the days due of a connection's windowed assets, as one span."""
    connection = next((one for one in load_connections() if one.name == name), None)
    resources = [connection.system.resource(key.path[-1]) for key in keys if key.path[0] == name] if connection else []
    windowed = [resource for resource in resources if resource.window]
    if connection is None or not windowed:
        return None
    warehouse, today = Warehouse(), datetime.now(connection.zone).date()
    if not warehouse.exists:
        spans = [due_span(None, connection, resource, today) for resource in windowed]
    else:
        with warehouse.working_folder() as folder, warehouse.session(name, folder, print) as session:
            spans = [due_span(session, connection, resource, today) for resource in windowed]
    return Span(min(span.start for span in spans), max(span.end for span in spans))


def _range_tags(partitions: dg.PartitionsDefinition[str] | None, days: Span | None) -> dict[str, str]:
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition) or days is None:
        return {}
    first, last = days.start, days.end - timedelta(days=1)
    keys = [
        key
        for key in partitions.get_partition_keys()
        if first <= _day(partitions, key).end - timedelta(days=1) and _day(partitions, key).start <= last
    ]
    if not keys:
        raise ValueError(f"No partition lies between {first} and {last}; start_date is later, or the days are to come.")
    return {f"{_RANGE}start": keys[0], f"{_RANGE}end": keys[-1]}


def _day(partitions: dg.TimeWindowPartitionsDefinition, key: str) -> Span:
    window = partitions.time_window_for_partition_key(key)
    return Span(window.start.date(), window.end.date())


def run(definitions: dg.Definitions, order: Order, listener: Listener) -> list[Outcome]:
    """Do what is asked for, connections side by side, and return one outcome per asset.

    Raises:
        ValueError: Nothing is selected.
        KeyboardInterrupt: It was stopped, by Ctrl-C or SIGTERM; no process is left.
    """
    by_connection = chosen(definitions, order)
    try:
        with terminable():
            if len(by_connection) > 1:
                return list(_side_by_side(definitions, by_connection, order, listener))
            return list(_alone(definitions, by_connection, order, listener))
    except KeyboardInterrupt:
        _tidy()
        raise


def _alone(
    definitions: dg.Definitions, by_connection: Mapping[str, list[dg.AssetKey]], order: Order, listener: Listener
) -> Iterator[Outcome]:
    progress.listen(listener.watch)
    for name, keys in by_connection.items():
        for outcome in _work(definitions, name, keys, order):
            listener.done(outcome)
            yield outcome


def _tidy() -> None:
    """Clear up after workers that were killed."""
    Warehouse().sweep()
    with _instance() as instance:
        mark_abandoned(instance)


class Listener:
    """Told how far the reads are; the base says nothing."""

    def watch(self, connection: str) -> Any:
        """Return whom a connection's reads tell: resource, pages, rows."""
        return lambda resource, pages, rows: self.read(connection, resource, pages, rows)

    def read(self, connection: str, resource: str, pages: int, rows: int) -> None:
        """Take how far one resource's read is."""

    def done(self, outcome: Outcome) -> None:
        """Take the outcome of one asset."""


def _side_by_side(
    definitions: dg.Definitions,
    by_connection: Mapping[str, list[dg.AssetKey]],
    order: Order,
    listener: Listener,
) -> Iterator[Outcome]:
    _instance().dispose()  # a new instance's databases are made once, before several processes would
    jobs = {name: partial(_job, definitions, name, keys, order) for name, keys in by_connection.items()}
    missing = dict(by_connection)
    with closing(side_by_side(jobs)) as messages:
        for name, message in messages:
            if isinstance(message, Ended):
                if name not in missing:
                    continue
                message = _failed(missing[name], str(message))
                _tidy()
            if isinstance(message, list):
                missing.pop(name, None)
                for outcome in message:
                    listener.done(outcome)
                    yield outcome
            else:
                listener.read(*message)


def _job(definitions: dg.Definitions, name: str, keys: list[dg.AssetKey], order: Order, send: Send) -> None:
    last = 0.0

    def watch_of(connection: str) -> Any:
        def watch(resource: str, pages: int, rows: int) -> None:
            nonlocal last
            if time.monotonic() - last > 0.1:
                last = time.monotonic()
                send((connection, resource, pages, rows))

        return watch

    progress.listen(watch_of)
    send(_work(definitions, name, keys, order))


def _work(definitions: dg.Definitions, name: str, keys: Sequence[dg.AssetKey], order: Order) -> list[Outcome]:
    job = definitions.resolve_implicit_global_asset_job_def()
    try:
        with _instance() as instance, alive(Warehouse().runs) as tags:
            mark_abandoned(instance)
            return [
                outcome
                for unit in units(definitions, name, keys, order)
                for outcome in _run_unit(job, unit, instance, tags)
            ]
    except (ValueError, WarehouseError) as error:
        return _failed(keys, str(error))


def _failed(keys: Sequence[dg.AssetKey], sentence: str) -> list[Outcome]:
    return [Outcome(key.path[0], key.path[-1], sentences=[sentence]) for key in keys]


def _run_unit(
    job: dg.JobDefinition, unit: Unit, instance: dg.DagsterInstance, tags: Mapping[str, str]
) -> list[Outcome]:
    result = job.execute_in_process(
        instance=instance,
        asset_selection=list(unit.assets),
        tags={**unit.tags, **tags, "crm/connection": unit.connection},
        raise_on_error=False,
        run_config=_QUIET,
    )
    if any(_interrupted(event) for event in result.all_events):
        raise KeyboardInterrupt
    outcomes = {key: Outcome(unit.connection, key.path[-1]) for key in unit.assets}
    for event in result.get_asset_materialization_events():
        if event.asset_key in outcomes:
            _take_materialization(outcomes[event.asset_key], event.step_materialization_data.materialization.metadata)
    for check in result.get_asset_check_evaluations():
        if check.asset_key in outcomes:
            _take_check(outcomes[check.asset_key], check)
    if not result.success:
        _take_failure(list(outcomes.values()), result)
    return list(outcomes.values())


def _interrupted(event: dg.DagsterEvent) -> bool:
    """Dagster takes Ctrl-C for itself, marks the run as failed, and goes on as if nobody had stopped it."""
    error = getattr(event.event_specific_data, "error", None)
    return error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__


def _take_materialization(outcome: Outcome, metadata: Mapping[str, Any]) -> None:
    numbers = {name: value.value for name, value in metadata.items() if isinstance(value.value, (int, float))}
    outcome.materialized = True
    outcome.rows, outcome.loaded = int(numbers["dagster/row_count"]), int(numbers["rows_loaded"])
    outcome.requests = int(numbers.get("requests", 0))
    outcome.numbers = numbers


def _take_check(outcome: Outcome, check: Any) -> None:
    severe = check.severity == dg.AssetCheckSeverity.ERROR
    outcome.checks[check.check_name] = "passed" if check.passed else "failed" if severe else "warned"
    if not check.passed:
        outcome.sentences.append(f"{check.check_name}: {check.description}")


def _take_failure(outcomes: list[Outcome], result: dg.ExecuteInProcessResult) -> None:
    unexplained = [one for one in outcomes if not one.materialized and not one.sentences]
    for event in result.all_events:
        if event.is_step_failure and unexplained:
            data = event.step_failure_data
            text = data.user_failure_data.description if data.user_failure_data else None
            text = text or (data.error.cause or data.error).message.strip() if data.error else text
            for outcome in unexplained:
                outcome.sentences.append(text or "the run failed")


def _instance() -> dg.DagsterInstance:
    """Open the instance of ``DAGSTER_HOME``, or one that is gone afterwards.

    Standard output is left alone: Dagster would capture it, which takes two further processes per run.
    """
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        return dg.DagsterInstance.ephemeral()
    from dagster._core.instance.ref import InstanceRef

    overrides = {
        "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
        "telemetry": {"enabled": False},
    }
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(home, overrides=overrides))
