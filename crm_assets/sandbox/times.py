"""Instants: as texts say them, as APIs send them, and spread over spans of time."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from crm_assets.declarations import Column, ColumnType
from crm_assets.declarations.models.columns import MICROSECONDS

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
_ISO_8601: TypeAdapter[datetime] = TypeAdapter(datetime)


class Span(NamedTuple):
    """Two instants, both aware; the second is excluded."""

    start: datetime
    end: datetime

    def at(self, share: float, step: timedelta) -> datetime:
        """Return the instant after a share (0 to 1) of the span, cut to whole steps since 1970."""
        millisecond = timedelta(milliseconds=1)
        last = max((self.end - self.start) // millisecond - 1, 0)
        instant = self.start + min(int(share * (last + 1)), last) * millisecond
        return max(instant - (instant - EPOCH) % step, self.start)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a day in a time zone."""
    return datetime.combine(day, time(), zone).astimezone(timezone.utc)


def read_instant(text: str, zone: ZoneInfo) -> datetime:
    """Return the instant of an ISO 8601 text: of a day its first, without an offset that of the zone.

    Raises:
        ValueError: The text is not ISO 8601.
    """
    if text.isdecimal():
        raise ValueError(f"{text} is not ISO 8601")
    instant = _ISO_8601.validate_python(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=zone).astimezone(timezone.utc)


def on_the_wire(column: Column, instant: datetime, zone: ZoneInfo) -> Any:
    """Return an instant as an API whose connection is in that zone sends it in a column."""
    zone = ZoneInfo(column.timezone) if column.timezone else zone
    local, is_day = instant.astimezone(zone), column.type is ColumnType.DATE
    if "%" in column.format:
        return local.strftime(column.format)
    if column.format == "iso":
        return local.date().isoformat() if is_day else local.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    micros = ((midnight(local.date(), zone) if is_day else instant) - EPOCH) // timedelta(microseconds=1)
    if column.format == "dotnet":
        return f"/Date({micros // 1000})/"
    return micros * 1000 if column.format == "epoch_ns" else micros // int(MICROSECONDS[column.format])
