"""The alert sensor: failed runs, failed checks and overdue tables, grouped and posted once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.automation.problems import Problem, overdue, problems_of_run
from crm_assets.orchestration.automation.webhook import SECRET, WebhookError, message_of, post
from crm_assets.orchestration.resources import CrmSecrets

SENSOR_NAME = "crm_alerts"
_TICK_SECONDS = 60
_RUNS = 500
"""Finished runs looked at in one tick; more wait for the next."""
_OVERLAP = timedelta(seconds=10)
"""How far back to look again, for runs whose end was written out of turn."""
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


@dataclass(frozen=True)
class _State:
    """The sensor's memory: runs seen so far, and posted problems that are still open."""

    since: datetime
    seen: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> _State:
        state = json.loads(text)
        return cls(datetime.fromisoformat(state["since"]), frozenset(state["seen"]), frozenset(state["open"]))

    def text(self) -> str:
        return json.dumps({"since": self.since.isoformat(), "seen": sorted(self.seen), "open": sorted(self.open)})


def alert_sensor(connections: Sequence[Connection]) -> dg.SensorDefinition:
    """Return the sensor that posts new problems to the webhook ``alerts.webhook_url`` of the secrets.

    Args:
        connections: Whose tables may be overdue; if one of them has its schedule enabled, so is this sensor.
    """
    enabled = any(connection.schedule.enabled for connection in connections)

    @dg.sensor(
        name=SENSOR_NAME,
        minimum_interval_seconds=_TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED,
        description=f"Posts failed runs, failed checks and overdue tables to the webhook {SECRET}, each problem once.",
    )
    def alerts(context: dg.SensorEvaluationContext, crm_secrets: CrmSecrets) -> dg.SensorResult | dg.SkipReason:
        url = crm_secrets.optional(SECRET)
        if not url:
            variable = SECRET.upper().replace(".", "__")
            return dg.SkipReason(f"Alerts are off: set {variable}, or webhook_url under [alerts] in .dlt/secrets.toml.")
        return _evaluate_alerts(context, connections, url)

    return alerts


def _evaluate_alerts(
    context: dg.SensorEvaluationContext, connections: Sequence[Connection], url: str
) -> dg.SensorResult | dg.SkipReason:
    now = datetime.now(timezone.utc)
    state = _State.parse(context.cursor) if context.cursor else _State(now)
    records = _finished_runs(context, state)
    since = max([state.since, *(_utc(record.update_timestamp) for record in records)])
    unseen = [record.dagster_run for record in records if record.dagster_run.run_id not in state.seen]
    problems = [
        problem for run in unseen if _is_ours(run, context) for problem in problems_of_run(context.instance, run)
    ]
    still, new = _settled(state.open, [*problems, *overdue(context.instance, connections, now)])
    if new:
        try:
            post(url, message_of(new))
        except WebhookError as error:
            return dg.SkipReason(f"New problems were not posted, the next tick retries: {error}.")
    seen = frozenset(each.dagster_run.run_id for each in records if _utc(each.update_timestamp) > since - _OVERLAP)
    reason = "New problems were posted." if new else "Nothing new went wrong."
    return dg.SensorResult(skip_reason=reason, cursor=_State(since, seen, still).text())


def _finished_runs(context: dg.SensorEvaluationContext, state: _State) -> Sequence[dg.RunRecord]:
    return context.instance.get_run_records(
        dg.RunsFilter(statuses=_FINISHED, updated_after=state.since - _OVERLAP),
        limit=_RUNS,
        order_by="update_timestamp",
        ascending=True,
    )


def _settled(opened: frozenset[str], problems: Iterable[Problem]) -> tuple[frozenset[str], list[Problem]]:
    """Return the keys of open problems, and the problems not posted yet; the latest state of a key counts."""
    latest = {problem.key: problem for problem in problems}
    wrong = {key for key, problem in latest.items() if problem.clause}
    return frozenset(opened - latest.keys() | wrong), list(_fresh(latest.values(), opened))


def _fresh(problems: Iterable[Problem], opened: frozenset[str]) -> Iterator[Problem]:
    return (problem for problem in problems if problem.clause and problem.key not in opened)


def _utc(moment: datetime) -> datetime:
    """Return a moment of the run storage, which keeps UTC without saying so."""
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _is_ours(run: dg.DagsterRun, context: dg.SensorEvaluationContext) -> bool:
    """Return whether a run belongs to this code location; yes if either is unknown."""
    origin, here = run.remote_job_origin, context.code_location_origin
    return origin is None or here is None or origin.location_name == here.location_name
