"""The change sensor: reads a connection when something changed there, and only what changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg

from crm_assets.extract.errors import SecretError
from crm_assets.orchestration.automation.jobs import ConnectionJob
from crm_assets.orchestration.keys import asset_key
from crm_assets.orchestration.resources import CrmSecrets
from crm_assets.orchestration.shared_state.state import shared_state
from crm_assets.warehouse.errors import WarehouseError
from crm_assets.warehouse.increments import greatest_loaded
from crm_assets.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from crm_assets.orchestration.automation.change_query import ChangeAnswer

CHANGE_TAG = "crm/changed"
"""Run tag that names the resources something changed in."""
LOCK_TIMEOUT = 0.5
"""Seconds to wait for the warehouse; a run that holds it is about to bring the changes anyway."""
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def change_sensor(job: ConnectionJob, warehouse: Warehouse) -> dg.SensorDefinition:
    """Return the change sensor of a connection that has cursors.

    Args:
        job: The job of the connection's full and incremental reads.
        warehouse: Holds what was loaded, and the rate budget.
    """
    schedule, hasty = job.connection.schedule, replace(warehouse, patience=LOCK_TIMEOUT)

    @dg.sensor(
        name=f"{job.connection.name}_changes",
        job=job.definition,
        minimum_interval_seconds=schedule.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING if schedule.enabled else dg.DefaultSensorStatus.STOPPED,
        description=f"Asks {', '.join(one.name for one in job.incrementals)} for changes and reads what has changed.",
    )
    def changes(context: dg.SensorEvaluationContext, crm_secrets: CrmSecrets) -> dg.SensorResult | dg.SkipReason:
        try:
            return _evaluate_changes(context, job, hasty, crm_secrets)
        except (WarehouseError, SecretError) as error:
            return dg.SkipReason(f"{job.connection.name} was not asked for changes. {error}")

    return changes


def _evaluate_changes(
    context: dg.SensorEvaluationContext, job: ConnectionJob, warehouse: Warehouse, secrets: CrmSecrets
) -> dg.SensorResult | dg.SkipReason:
    connection = job.connection
    problem = connection.unusable()
    if problem:
        return dg.SkipReason(problem)
    unfinished = dg.RunsFilter(job_name=job.definition.name, statuses=_UNFINISHED)
    if context.instance.get_runs(unfinished, limit=1):
        return dg.SkipReason(f"A run of {job.definition.name} is not finished; changes are asked for after it.")
    loaded = _loaded(job, warehouse, context)
    from crm_assets.orchestration.automation.change_query import ask

    if not loaded:
        return dg.SkipReason(
            f"Nothing of {connection.name} that is read incrementally is loaded yet; run {job.definition.name}."
        )
    answers = ask(connection, loaded, secrets.of(connection), shared_state(context.instance, warehouse.folder))
    return _sensor_result(context, job, answers)


def _loaded(job: ConnectionJob, warehouse: Warehouse, context: dg.SensorEvaluationContext) -> dict[str, datetime]:
    """Return the greatest loaded values; the warehouse is open for these queries and no longer."""
    if not warehouse.exists:
        return {}
    with (
        warehouse.working_folder() as folder,
        warehouse.session(job.connection.name, folder, context.log.info) as session,
    ):
        newest = {each.name: greatest_loaded(session, job.connection, each) for each in job.incrementals}
    return {name: value for name, value in newest.items() if value}


def _sensor_result(
    context: dg.SensorEvaluationContext, job: ConnectionJob, answers: Mapping[str, ChangeAnswer]
) -> dg.SensorResult | dg.SkipReason:
    reported: dict[str, str] = json.loads(context.cursor or "{}")
    newest = {name: answer.newest for name, answer in answers.items() if answer.newest}
    changed = {name: value.isoformat() for name, value in newest.items() if _is_news(value, reported.get(name))}
    problems = [answer.problem for answer in answers.values() if answer.problem]
    if not changed:
        return dg.SkipReason("; ".join(problems) or f"Nothing new in {', '.join(answers)}.")
    for problem in problems:
        context.log.warning(problem)
    request = dg.RunRequest(
        run_key=", ".join(f"{name} {value}" for name, value in sorted(changed.items())),
        tags={CHANGE_TAG: ", ".join(sorted(changed))},
        asset_selection=[asset_key(job.connection, name) for name in sorted(changed)],
    )
    return dg.SensorResult(run_requests=[request], cursor=json.dumps(reported | changed))


def _is_news(newest: datetime, reported: str | None) -> bool:
    """Return whether no run was requested for a change yet."""
    return reported is None or newest > datetime.fromisoformat(reported)
