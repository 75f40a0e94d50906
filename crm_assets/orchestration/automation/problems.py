"""Problems: what went wrong since the last look, and what is wrong no more, as keys and clauses.

A step of a run, a check of an asset and an asset's age each have a key; whatever ends well clears its key. So a
connection that fails every five minutes is one problem, until it succeeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.freshness import tolerance_of
from crm_assets.orchestration.keys import CONNECTION_TAG, asset_key

_EVENTS = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or (without a clause) no longer wrong."""

    key: str
    group: str
    """The connection; without one, the step or job."""
    subject: str = ""
    """The run or table concerned."""
    clause: str = ""


def problems_of_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[Problem]:
    """Yield what a finished run shows: steps that failed or succeeded, checks that failed or passed."""
    group, subject, step_failed = run.tags.get(CONNECTION_TAG, ""), f"run {run.run_id[:8]}", False
    for entry in instance.all_logs(run.run_id, of_type=_EVENTS):
        event = entry.get_dagster_event()
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            yield from _of_check(event.asset_check_evaluation_data)
        elif event.step_key:
            step_failed = step_failed or event.is_step_failure
            yield Problem(f"step {event.step_key}", group or event.step_key, subject, _step_clause(event))
    failed = run.status is dg.DagsterRunStatus.FAILURE and not step_failed
    clause = f"{run.job_name} failed before or between its steps" if failed else ""
    yield Problem(f"run {run.job_name}", group or run.job_name, subject, clause)


def _of_check(check: dg.AssetCheckEvaluation) -> Iterator[Problem]:
    if check.check_name == "freshness":
        return  # ages are looked at between runs too, see overdue()
    asset = check.asset_key.to_user_string()
    said = f": {check.description.rstrip('.')}" if check.description else ""
    outcome = "failed" if check.severity == dg.AssetCheckSeverity.ERROR else "warns"
    clause = "" if check.passed else f"check {check.check_name} {outcome}{said}"
    yield Problem(f"check {asset} {check.check_name}", check.asset_key.path[0], asset, clause)


def _step_clause(event: dg.DagsterEvent) -> str:
    """Return the message of a failed step; of unexpected exceptions only the class, because they may quote anything."""
    if not event.is_step_failure:
        return ""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description.rstrip(".")
    error = data.error and (data.error.cause or data.error)
    return f"{event.step_key} failed ({error.cls_name if error else 'no reason given'})"


def overdue(instance: dg.DagsterInstance, connections: Iterable[Connection], now: datetime) -> Iterator[Problem]:
    """Yield which tables are older than their schedule allows, and which are not.

    A table that was never loaded is not overdue. The latest materialization counts, whichever run made it.
    """
    for connection in connections:
        for resource in connection.system.tables:
            event = instance.get_latest_materialization_event(asset_key(connection, resource.name))
            loaded = datetime.fromtimestamp(event.timestamp, timezone.utc) if event else now
            late = now - loaded > tolerance_of(connection, resource).late
            asset = f"{connection.name}/{resource.name}"
            clause = f"overdue, it was last loaded on {loaded.astimezone(connection.zone):%Y-%m-%d %H:%M %Z}"
            yield Problem(f"late {asset}", connection.name, asset, clause if late else "")
