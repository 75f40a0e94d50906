"""Schedules: every connection is read at its own minute, in its own time zone.

Windows are read again for their lookback_days days, so a tick asks for a range of partitions as one run. Dagster's
``build_schedule_from_partitioned_job`` can neither do that (it asks for the last partition alone, which is a day far
ahead where a window has days_ahead) nor take a cron, so windows have a schedule with an evaluation of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import groupby

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.automation.jobs import ConnectionJob
from crm_assets.orchestration.keys import asset_key
from crm_assets.orchestration.schedule_times import cron_of

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def schedule_of(job: ConnectionJob, position: int) -> dg.ScheduleDefinition:
    """Return the schedule of a job.

    Args:
        job: What to read.
        position: Place of the job among all jobs, from 0; it decides the default minute.

    Raises:
        SpecError: The connection's cron expression is invalid.
    """
    schedule = job.connection.schedule
    evaluate = _windows_evaluation(job) if job.partitions else None
    return dg.ScheduleDefinition(
        name=f"{job.definition.name}_schedule",
        job=job.definition,
        cron_schedule=cron_of(job.connection, position, windows=job.partitions is not None),
        execution_timezone=job.connection.timezone,
        execution_fn=evaluate,
        default_status=dg.DefaultScheduleStatus.RUNNING if schedule.enabled else dg.DefaultScheduleStatus.STOPPED,
        description=_schedule_description(job),
    )


def _schedule_description(job: ConnectionJob) -> str:
    if not job.partitions:
        return f"Full and incremental reads of {job.connection.name}."
    days = ", ".join(f"{one.name} {one.window.lookback_days}" for one in job.resources if one.window)
    return f"Windows of {job.connection.name}: the current day, and days before it again: {days}."


def _windows_evaluation(job: ConnectionJob) -> Callable[..., Iterator[dg.RunRequest | dg.SkipReason]]:
    def evaluate(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        moment = context.scheduled_execution_time.astimezone(job.connection.zone)
        requests = list(_run_requests(job, moment))
        yield from requests
        if not requests:
            start = job.connection.start_date
            yield dg.SkipReason(f"{job.connection.name} has no window on {moment.date()}: its start_date is {start}.")

    return evaluate


def _run_requests(job: ConnectionJob, moment: datetime) -> Iterator[dg.RunRequest]:
    """Yield one run for each number of lookback days: who looks far back must not make its siblings do so."""
    for lookback_days, group in groupby(sorted(job.resources, key=_trailing), key=_trailing):
        resources = list(group)
        dates = window_range(job, moment.date(), lookback_days)
        if dates:
            yield dg.RunRequest(
                run_key=f"{moment.isoformat()} lookback_days {lookback_days}",
                tags={RANGE_START: dates[0], RANGE_END: dates[1]},
                asset_selection=[asset_key(job.connection, resource.name) for resource in resources],
            )


def _trailing(resource: Resource) -> int:
    return resource.window.lookback_days if resource.window else 0


def window_range(job: ConnectionJob, day: date, lookback_days: int) -> tuple[str, str] | None:
    """Return the first and last partition a tick reads, or ``None`` before the first one.

    Args:
        job: A job with partitions.
        day: Day of the tick in the connection's zone.
        lookback_days: Days before it to read once more.
    """
    window, partitions = job.resources[0].window, job.partitions
    first = partitions.get_first_partition_window() if partitions else None
    if window is None or partitions is None or first is None:
        return None
    start = max(_midnight(day - timedelta(days=lookback_days), job.connection), first.start)
    end = _midnight(day + timedelta(days=window.days_ahead), job.connection)
    if end < start:
        return None
    return (
        partitions.get_partition_key_for_timestamp(start.timestamp()),
        partitions.get_partition_key_for_timestamp(end.timestamp()),
    )


def _midnight(day: date, connection: Connection) -> datetime:
    return datetime.combine(day, time(), connection.zone)
