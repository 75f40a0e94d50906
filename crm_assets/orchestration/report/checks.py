"""The checks of a table, as Dagster's instance remembers their evaluations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import takewhile
from typing import Any

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.checks import check_specs
from crm_assets.orchestration.report.model import CheckHistory, CheckState, Evaluation

HISTORY = 20
"""Evaluations looked back at: three weeks of a table that is read daily."""


def checks_of(instance: dg.DagsterInstance, connection: Connection, resource: Resource) -> Iterator[CheckHistory]:
    """Yield a table's checks as they were evaluated last, each with its history."""
    for spec in check_specs(connection, resource):
        evaluated = _evaluated(instance, spec.key)
        if not evaluated:
            yield CheckHistory(spec.name, "not evaluated")
            continue
        history = tuple(one for one, _ in reversed(evaluated))
        latest, evaluation = evaluated[0]
        yield CheckHistory(
            spec.name,
            latest.state,
            evaluation.description or "",
            numbers_of(evaluation.metadata),
            latest.at,
            latest.run_id,
            _since(history),
            _offenders(evaluation),
            history,
        )


def numbers_of(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, float]:
    """Return the numbers in the metadata of an event."""
    return {
        name: value.value
        for name, value in metadata.items()
        if isinstance(value, (dg.IntMetadataValue, dg.FloatMetadataValue)) and value.value is not None
    }


def utc_moment(timestamp: float) -> datetime:
    """Return a timestamp of Dagster as a moment in UTC."""
    return datetime.fromtimestamp(timestamp, timezone.utc)


def _evaluated(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey
) -> Sequence[tuple[Evaluation, dg.AssetCheckEvaluation]]:
    """Return the last evaluations of a check, the latest first; runs that never came to evaluate it are left out."""
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=HISTORY)
    return [
        (Evaluation(_check_state(evaluation), utc_moment(record.event.timestamp), record.run_id), evaluation)
        for record in records
        if record.event and isinstance(evaluation := record.evaluation, dg.AssetCheckEvaluation)
    ]


def _check_state(evaluation: dg.AssetCheckEvaluation) -> CheckState:
    if evaluation.passed:
        return "passed"
    return "failed" if evaluation.severity == dg.AssetCheckSeverity.ERROR else "warned"


def _since(history: Sequence[Evaluation]) -> datetime | None:
    amiss = list(takewhile(lambda one: one.state != "passed", reversed(history)))
    return amiss[-1].at if amiss else None


def _offenders(evaluation: dg.AssetCheckEvaluation) -> tuple[Mapping[str, Any], ...]:
    value = evaluation.metadata.get("offenders")
    return tuple(record.data for record in value.records) if isinstance(value, dg.TableMetadataValue) else ()
