"""Report: what the asset checks said last, and what was loaded last, from the Dagster instance."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, TypeAlias

import dagster as dg

from crm_assets.commands.dagster_home import open_instance
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.errors import CommandError
from crm_assets.orchestration.checks import check_specs
from crm_assets.orchestration.keys import asset_key

State: TypeAlias = Literal["passed", "warned", "failed", "not evaluated"]


@dataclass(frozen=True)
class Check:
    """The last evaluation of one check."""

    name: str
    state: State
    sentence: str = ""
    numbers: Mapping[str, float] | None = None
    at: datetime | None = None
    run_id: str = ""


@dataclass(frozen=True)
class Asset:
    """One asset: its last materialization, and its checks."""

    connection: str
    resource: str
    materialized_at: datetime | None
    run_id: str
    rows: int | None
    """Rows in the table."""
    loaded: int | None
    """Rows the last read brought."""
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Report:
    """All assets of some connections."""

    at: datetime
    assets: tuple[Asset, ...]

    @property
    def states(self) -> Counter[State]:
        """How many checks are in which state."""
        return Counter(check.state for asset in self.assets for check in asset.checks)


def last_instance(data_folder: Path) -> dg.DagsterInstance:
    """Open the instance of all commands.

    Raises:
        CommandError: Nothing was ever run in it.
    """
    if not os.environ.get("DAGSTER_HOME") and not (data_folder / "dagster").exists():
        raise CommandError("There is nothing to report yet: run `crm-assets sync` first.")
    return open_instance(data_folder)


def report(connections: Iterable[Connection], instance: dg.DagsterInstance, at: datetime | None = None) -> Report:
    """Return the last check evaluations and materializations of the connections' assets.

    Args:
        connections: The accounts.
        instance: Where Dagster keeps its events.
        at: When the report is made; now when left out.
    """
    found = [_asset(one, resource, instance) for one in connections for resource in one.system.tables]
    return Report(at or datetime.now(timezone.utc), tuple(found))


def _asset(connection: Connection, resource: Resource, instance: dg.DagsterInstance) -> Asset:
    key = asset_key(connection, resource.name)
    event = instance.get_latest_materialization_event(key)
    numbers = _numbers(event.asset_materialization.metadata) if event and event.asset_materialization else {}
    rows, loaded = numbers.get("dagster/row_count"), numbers.get("rows_loaded")
    keys = [dg.AssetCheckKey(key, spec.name) for spec in check_specs(connection, resource)]
    return Asset(
        connection.name,
        resource.name,
        _moment(event.timestamp) if event else None,
        event.run_id if event else "",
        None if rows is None else int(rows),
        None if loaded is None else int(loaded),
        tuple(_checks(keys, instance)),
    )


def _checks(keys: list[dg.AssetCheckKey], instance: dg.DagsterInstance) -> Iterator[Check]:
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    for key in keys:
        record = records.get(key)
        evaluation = record.evaluation if record else None
        if record is None or not isinstance(evaluation, dg.AssetCheckEvaluation):
            yield Check(key.name, "not evaluated")
            continue
        severe = evaluation.severity == dg.AssetCheckSeverity.ERROR
        yield Check(
            key.name,
            "passed" if evaluation.passed else "failed" if severe else "warned",
            evaluation.description or "",
            _numbers(evaluation.metadata),
            _moment(record.event.timestamp) if record.event else None,
            record.run_id,
        )


def _numbers(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, float]:
    return {
        name: value.value
        for name, value in metadata.items()
        if isinstance(value, (dg.IntMetadataValue, dg.FloatMetadataValue)) and value.value is not None
    }


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, timezone.utc)
