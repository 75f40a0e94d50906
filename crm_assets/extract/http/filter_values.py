"""Values of date filters: the bounds of windows and increments in the form an API wants them."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.incremental import Incremental, TimeFormat, Window, names_days
from crm_assets.declarations.models.resource import Resource


def zone_of(connection: Connection, resource: Resource, column: str) -> ZoneInfo:
    """Return the time zone in which the API writes and reads a column's times, where they have no offset."""
    name = resource.columns[column].timezone
    return ZoneInfo(name) if name else connection.zone


def values_of_window(connection: Connection, resource: Resource, window: Window, dates: DateRange) -> dict[str, object]:
    """Return what fills the placeholders of a window for a range of days."""
    zone = zone_of(connection, resource, window.field)
    days_of = zone if resource.columns[window.field].type is ColumnType.DATE else connection.zone
    instants = dates.widened(window.padding_days).instants(days_of)
    return window_values(instants, window.format, window.end, zone)


def values_of_increment(
    connection: Connection, resource: Resource, incremental: Incremental, since: datetime | None
) -> dict[str, object]:
    """Return what fills the placeholders of an incremental read from a starting point on."""
    zone, column = zone_of(connection, resource, incremental.field), resource.columns[incremental.field]
    if since and names_days(incremental.format) and column.type is ColumnType.TIMESTAMP:
        # an API that takes days for those of UTC, as is usual where its times have an offset, is asked for a day more
        since = min(since, datetime.combine(since.astimezone(timezone.utc).date(), time(), zone))
    return {
        "incremental.start_value": _start_value(connection, incremental, since, zone),
        "incremental.end_value": start_text(datetime.now(timezone.utc), incremental.format, zone),
    }


def _start_value(connection: Connection, incremental: Incremental, since: datetime | None, zone: ZoneInfo) -> object:
    """Return the starting point as the API wants it; before the first read that may be the connection's first day."""
    if since is None and incremental.initial_value == "{start_date}":
        since = datetime.combine(connection.start_date, time(), connection.zone)
    return incremental.initial_value if since is None else start_text(since, incremental.format, zone)


def window_values(
    instants: tuple[datetime, datetime], format_: TimeFormat, end: str, zone: ZoneInfo
) -> dict[str, object]:
    """Return ``window_start`` and ``window_end`` as the API wants them.

    A date that the API counts into the window is the last day of the range, and one that it does not is the day after
    that; a moment is always the first one after the range (rows at exactly that moment are left to the window they
    begin).

    Args:
        instants: First moment of the window, and the first after it.
        format_: How the API wants them.
        end: Whether it counts the last one in: ``inclusive`` or ``exclusive``.
        zone: Time zone of dates and times without an offset.
    """
    first, after = instants
    if names_days(format_):
        last = (after - timedelta(microseconds=1)).astimezone(zone)
        after = last if end == "inclusive" else datetime.combine(last.date() + timedelta(days=1), time(), zone)
    return {"window_start": moment_text(first, format_, zone), "window_end": moment_text(after, format_, zone)}


def start_text(moment: datetime, format_: TimeFormat, zone: ZoneInfo) -> object:
    """Return a starting point as the API wants it, never later than meant.

    An hour that clocks repeat has each time twice. The first of both is written as the hour before, because the API may
    read it as the second one.
    """
    zone = ZoneInfo("UTC") if _in_utc(format_) else zone
    local = moment.astimezone(timezone.utc).astimezone(zone)
    repeated = local.replace(fold=1).utcoffset() != local.utcoffset()
    if repeated and not local.fold and (format_ == "local" or "%" in format_):
        moment -= (local.utcoffset() or timedelta(0)) - (local.replace(fold=1).utcoffset() or timedelta(0))
    return moment_text(moment, format_, zone)


def moment_text(moment: datetime, format_: TimeFormat, zone: ZoneInfo) -> object:
    """Return a moment as the API wants it: a day or time of the zone, ISO 8601 in UTC, or an epoch number."""
    utc = moment.astimezone(timezone.utc)
    match format_:
        case "date":
            return utc.astimezone(zone).date().isoformat()
        case "local":
            return utc.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")
        case "iso":
            return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case "epoch_s" | "epoch_ms":
            return int(utc.timestamp() * (1000 if format_ == "epoch_ms" else 1))
        case pattern:
            return utc.astimezone(ZoneInfo("UTC") if _in_utc(pattern) else zone).strftime(pattern)


def _in_utc(format_: TimeFormat) -> bool:
    """Whether a pattern writes times of UTC, with the letter that says so."""
    return "%" in format_ and format_.endswith("Z") and not format_.endswith("%Z")
