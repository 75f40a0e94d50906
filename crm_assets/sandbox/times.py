"""Dates and timestamps of records: spread over the days served, and apart as the examples of the declaration are."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.declarations.models.columns import MICROSECONDS

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MILLISECOND = timedelta(milliseconds=1)
UNDATED = 1 / 12
"""Share of rows without the date a window speaks of, where such rows exist."""


class Span(NamedTuple):
    """Two instants, both aware; the second is excluded."""

    start: datetime
    end: datetime

    def at(self, share: float, step: int = 1) -> datetime:
        """Return the instant after a share (0 to 1) of the span, cut to ``step`` milliseconds."""
        last = max((self.end - self.start) // _MILLISECOND - 1, 0)
        position = (self.start - EPOCH) // _MILLISECOND + min(int(share * (last + 1)), last)
        return max(EPOCH + timedelta(milliseconds=position - position % step), self.start)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a day in a time zone."""
    return datetime.combine(day, time(), zone).astimezone(timezone.utc)


def is_date(text: str) -> bool:
    """Return whether a text is a day without a time."""
    return bool(_DATE.fullmatch(text))


def read_instant(value: Any, zone: ZoneInfo) -> datetime:
    """Return the instant of a date (its first), of a timestamp (without an offset: in the zone), or of a text of one.

    Raises:
        ValueError: The text is neither.
    """
    if isinstance(value, str):
        value = date.fromisoformat(value) if is_date(value) else datetime.fromisoformat(_readable(value))
    if not isinstance(value, datetime):
        return midnight(value, zone)
    aware: datetime = value if value.tzinfo else value.replace(tzinfo=zone)
    return aware


def _readable(text: str) -> str:
    """Return an ISO 8601 text in the narrower form every Python version reads."""
    text = re.sub(r"\.(\d+)", lambda found: "." + found[1][:6].ljust(6, "0"), text)
    text = re.sub(r"[zZ]$", "+00:00", text)
    return re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text)


def on_the_wire(column: Column, value: datetime, zone: ZoneInfo) -> Any:
    """Return an instant as an API sends it in a column."""
    local = value.astimezone(_zone(column))
    if column.format in MICROSECONDS or column.format == "dotnet":
        instant = midnight(local.date(), _zone(column)) if column.type is ColumnType.DATE else value
        micros = (instant - EPOCH) // timedelta(microseconds=1)
        if column.format == "dotnet":
            return f"/Date({micros // 1000})/"
        return micros * 1000 if column.format == "epoch_ns" else micros // int(MICROSECONDS[column.format])
    if "%" in column.format:
        return local.strftime(column.format)
    local = value.astimezone(zone)
    if column.type is ColumnType.DATE:
        return local.date().isoformat()
    return local.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_the_wire(column: Column, value: Any) -> date | datetime:
    """Return the date or the instant (in UTC) that an API sends in a column."""
    instant: datetime | None = None
    if column.format == "dotnet":
        instant = EPOCH + int(re.sub(r"\D", "", value)) * _MILLISECOND
    elif column.format in MICROSECONDS:
        instant = EPOCH + timedelta(microseconds=int(value * MICROSECONDS[column.format]))
    elif "%" in column.format:
        read = datetime.strptime(value, column.format)  # noqa: DTZ007  # a pattern may have no offset
        instant = read if read.tzinfo else read.replace(tzinfo=_zone(column))
    if instant is not None:
        return instant.astimezone(_zone(column)).date() if column.type is ColumnType.DATE else instant
    if column.type is ColumnType.DATE:
        return date.fromisoformat(value)
    return read_instant(value, ZoneInfo("UTC")).astimezone(timezone.utc)


def _zone(column: Column) -> ZoneInfo:
    return ZoneInfo(column.timezone or "UTC")


def _resolution(format_: str) -> int:
    """Return the milliseconds below which a format says nothing."""
    if "%" in format_ and "%f" not in format_:
        return 1000 if "%S" in format_ else 60_000
    return 1000 if format_ == "epoch_s" else 1


@dataclass(frozen=True)
class Calendar:
    """The dates and timestamps of one resource."""

    resource: Resource
    zone: ZoneInfo

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The columns that hold them."""
        return {
            name: column
            for name, column in self.resource.columns.items()
            if column.type in (ColumnType.DATE, ColumnType.TIMESTAMP) and not column.placeholder
        }

    @cached_property
    def filtered(self) -> str | None:
        """The column that a date filter of the API speaks of."""
        part = self.resource.window or self.resource.incremental
        return part.field if part else None

    @cached_property
    def step(self) -> int:
        """Resolution in milliseconds: that of the coarsest column."""
        return max((_resolution(column.format) for column in self.columns.values()), default=1)

    @cached_property
    def _delays(self) -> dict[str, tuple[timedelta | None, ...]]:
        """By column, how long after the first of all examples its own are; ``None`` for an example without a value."""
        examples = {
            name: [None if one is None else read_instant(one, self.zone) for one in column.examples]
            for name, column in self.columns.items()
        }
        first = min((one for several in examples.values() for one in several if one), default=EPOCH)
        return {
            name: tuple(None if one is None else one - first for one in several) or (timedelta(),)
            for name, several in examples.items()
        }

    def values(self, span: Span, share: float, draws: random.Random) -> dict[str, datetime | None]:
        """Return the instants of one record by column.

        Args:
            span: When records come into being.
            share: Where in the span this one does, from 0 to 1.
            draws: Stream to draw from.
        """
        window, incremental = self.resource.window, self.resource.incremental
        pace, moment = 0.3 + draws.random(), span.at(share, self.step)
        delays = {name: draws.choice(several) for name, several in self._delays.items()}
        if window:
            moment -= self._whole((delays.get(window.field) or timedelta()) * pace)
        found = {name: None if delay is None else moment + self._whole(delay * pace) for name, delay in delays.items()}
        for name, delay in self._delays.items():
            value = found[name]
            if None in delay and value and value > span.end:
                found[name] = None  # what may never happen has not happened yet
        if window and window.include_undated and draws.random() < UNDATED:
            found[window.field] = None
        if incremental:
            touched = Span(moment, max(span.end, moment)).at(draws.random(), self.step)
            found[incremental.field] = moment if draws.random() < 0.4 else touched
        return found

    def _whole(self, delay: timedelta) -> timedelta:
        return delay // timedelta(milliseconds=self.step) * timedelta(milliseconds=self.step)
