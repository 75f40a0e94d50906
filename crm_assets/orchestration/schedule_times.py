"""Schedule times: the cron expression of each job, and the longest time between two of its ticks."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache
from itertools import islice, pairwise

import dagster as dg

from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.dagster_compat import ticks

_FIRST_HOUR, _SPREAD, _STEP = 4, 180, 7
"""Default ticks lie between 4 and 7 o'clock: after the hours that clocks skip or repeat, before people work. A step
that shares no factor with the spread gives each of 180 jobs a minute of its own."""
_TICKS = 1000
"""Enough for three years of days, so that weekends, months and leap days are among the gaps."""
_SAMPLED_FROM = datetime(2024, 1, 1, tzinfo=timezone.utc)


def cron_of(connection: Connection, position: int, windows: bool = False) -> str:
    """Return the cron expression of a connection's full and incremental reads, or of its windows, in its time zone.

    Args:
        connection: Its ``schedule`` decides; a ``cron`` of its own holds for the windows too, unless they have theirs.
        position: Place of the job among all jobs, from 0; jobs without a cron start one after another.
        windows: Whether the windows' cron is asked for.

    Raises:
        SpecError: The cron expression is invalid.
    """
    schedule = connection.schedule
    key = "windows" if windows and schedule.windows else "cron"
    cron = getattr(schedule, key)
    if cron is None:
        hour, minute = divmod(position * _STEP % _SPREAD, 60)
        return f"{minute} {_FIRST_HOUR + hour} * * *"
    try:
        dg.TimeWindowPartitionsDefinition(start=_SAMPLED_FROM, fmt="%c", cron_schedule=cron)
    except dg.DagsterInvalidDefinitionError as error:
        raise SpecError(
            f"invalid cron expression {cron!r}; expected minute, hour, day of month, month and day of week, "
            'such as "15 4 * * *"',
            f"connection {connection.name}",
            f"key schedule.{key}",
        ) from error
    return str(cron)


def longest_gap(connection: Connection, resource: Resource) -> timedelta:
    """Return the longest time between two scheduled reads of a resource.

    Raises:
        SpecError: The connection's cron expression is invalid.
    """
    return _longest_gap(cron_of(connection, 0, resource.window is not None), connection.timezone)


@cache
def _longest_gap(cron: str, zone: str) -> timedelta:
    sample = islice(ticks(cron, zone, _SAMPLED_FROM), _TICKS)
    return max(later - earlier for earlier, later in pairwise(sample))
