"""Freshness: how old a table may be, derived from its schedule.

The policy is what Dagster's daemon evaluates; the ``freshness`` check asks the read log, so it works without a daemon.
A backfill of last year does not make a windowed table fresh: only reads of the current days count for the check.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.schedule_times import longest_gap
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession

_LEAST_GRACE = timedelta(minutes=30)


@dataclass(frozen=True)
class Tolerance:
    """The age limit of a table."""

    late: timedelta
    """From here on a scheduled read is overdue."""
    stale: timedelta
    """From here on two are."""


def tolerance_of(connection: Connection, resource: Resource) -> Tolerance:
    """Return the age limit of a resource's table: the longest time between two ticks, and a quarter of it for the run.

    Raises:
        SpecError: The connection's cron expression is invalid.
    """
    gap = longest_gap(connection, resource)
    late = gap + max(gap / 4, _LEAST_GRACE)
    return Tolerance(late, late + gap)


def with_freshness(connection: Connection, assets: Iterable[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """Return a connection's assets with their freshness policies."""

    def policed(spec: dg.AssetSpec) -> dg.AssetSpec:
        tolerance = tolerance_of(connection, connection.system.resource(spec.key.path[-1]))
        return spec.replace_attributes(
            freshness_policy=dg.FreshnessPolicy.time_window(fail_window=tolerance.stale, warn_window=tolerance.late)
        )

    return [asset.map_asset_specs(policed) for asset in assets]


def last_current_read(session: WarehouseSession, connection: Connection, resource: Resource) -> datetime | None:
    """Return the end of the last complete read of a resource that brought current data, from the read log."""
    if not read_log.columns(session):
        return None
    rows = session.query(current_reads_sql(session, resource.name))
    moments = (ended for text, begun, ended in rows if not resource.window or _reached_present(text, begun, connection))
    return next(moments, None)


def current_reads_sql(session: WarehouseSession, resource: str) -> str:
    """Return the query of a resource's complete reads, the latest first."""
    return (
        f"SELECT date_range, started_at, finished_at FROM {session.table(read_log.TABLE)} "
        f"WHERE resource = '{resource}' AND complete ORDER BY finished_at DESC LIMIT 1000"
    )


def _reached_present(date_ranges: str, begun: datetime, connection: Connection) -> bool:
    """Whether a read of windows reached the day it began on, or the one before; a read of the whole list does."""
    today = begun.astimezone(connection.zone).date()
    ranges = [DateRange.parse(text) for text in date_ranges.split(", ") if text]
    return not ranges or any(dates.start <= today <= dates.end for dates in ranges)
