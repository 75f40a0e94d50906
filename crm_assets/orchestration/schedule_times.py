"""Crons: when connections are read, and how far apart their reads are at most."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache
from itertools import islice, pairwise

from dagster._utils.schedules import cron_string_iterator, is_valid_cron_string

from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource

_FIRST_HOUR, _SPREAD, _STEP = 4, 180, 7
"""Default ticks lie between 4 and 7 o'clock: after the hours that clocks skip or repeat, before people work. A step
that shares no factor with the spread gives each of 180 jobs a minute of its own."""
_TICKS = 1000
_SAMPLED_FROM = datetime(2024, 1, 1, tzinfo=timezone.utc)


def cron_of(connection: Connection, position: int, windows: bool = False) -> str:
    """Return the cron of a connection's full and incremental reads, or of its windows, in the connection's time zone.

    Args:
        connection: Its ``schedule`` decides; a ``cron`` of its own holds for the windows too, unless they have theirs.
        position: Place of the job among all jobs, from 0; jobs without a cron start one after another.
        windows: Whether the windows' cron is asked for.

    Raises:
        SpecError: It is no cron.
    """
    schedule = connection.schedule
    key = "windows" if windows and schedule.windows else "cron"
    cron = getattr(schedule, key)
    if cron is None:
        hour, minute = divmod(position * _STEP % _SPREAD, 60)
        return f"{minute} {_FIRST_HOUR + hour} * * *"
    if not is_valid_cron_string(cron):
        raise SpecError(
            f'{cron!r} is no cron; expected minute, hour, day of month, month and day of week, such as "15 4 * * *"',
            f"connection {connection.name}",
            f"key schedule.{key}",
        )
    return str(cron)


def longest_gap(connection: Connection, resource: Resource) -> timedelta:
    """Return the longest time between two scheduled reads of a resource.

    Raises:
        SpecError: The connection's cron is none.
    """
    return _longest_gap(cron_of(connection, 0, resource.window is not None), connection.timezone)


@cache
def _longest_gap(cron: str, zone: str) -> timedelta:
    ticks = list(islice(cron_string_iterator(_SAMPLED_FROM.timestamp(), cron, zone), _TICKS))
    return max(later - earlier for earlier, later in pairwise(ticks))
