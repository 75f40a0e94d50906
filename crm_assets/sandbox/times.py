"""Dates and timestamps of records: spread over the days served, and apart as the examples of the declaration are."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.declarations.models.columns import MICROSECONDS

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
_MILLISECOND = timedelta(milliseconds=1)
_DATE_TEXT = re.compile(r"\d{4}-\d\d-\d\d")
_ISO_8601: TypeAdapter[datetime] = TypeAdapter(datetime)
_UNDATED = 1 / 12
"""Share of rows without the date a window speaks of, where such rows exist."""
_UNTOUCHED = 0.4
"""Share of rows that were never changed."""


class Span(NamedTuple):
    """Two instants, both aware; the second is excluded."""

    start: datetime
    end: datetime

    def at(self, share: float, step: int = 1) -> datetime:
        """Return the instant after a share (0 to 1) of the span, cut to ``step`` milliseconds."""
        last = max((self.end - self.start) // _MILLISECOND - 1, 0)
        position = (self.start - EPOCH) // _MILLISECOND + min(int(share * (last + 1)), last)
        return max(EPOCH + (position - position % step) * _MILLISECOND, self.start)


def microseconds(instant: datetime) -> int:
    """Return the microseconds of an instant since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a day in a time zone."""
    return datetime.combine(day, time(), zone).astimezone(timezone.utc)


def is_date(text: str) -> bool:
    """Return whether a text is a day without a time."""
    return bool(_DATE_TEXT.fullmatch(text))


def read_instant(text: str, zone: ZoneInfo) -> datetime:
    """Return the instant of an ISO 8601 text: of a day its first, without an offset that of the zone.

    Raises:
        ValueError: The text is not ISO 8601.
    """
    if is_date(text):
        return midnight(date.fromisoformat(text), zone)
    if text.isdecimal():
        raise ValueError(f"{text} is not ISO 8601")
    instant = _ISO_8601.validate_python(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)


def on_the_wire(column: Column, instant: datetime, zone: ZoneInfo) -> Any:
    """Return an instant as an API sends it in a column.

    Args:
        column: The column.
        instant: The instant.
        zone: The connection's time zone.
    """
    zone = ZoneInfo(column.timezone) if column.timezone else zone
    local, is_day = instant.astimezone(zone), column.type is ColumnType.DATE
    if "%" in column.format:
        return local.strftime(column.format)
    if column.format == "iso":
        return local.date().isoformat() if is_day else local.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    micros = microseconds(midnight(local.date(), zone) if is_day else instant)
    if column.format == "dotnet":
        return f"/Date({micros // 1000})/"
    return micros * 1000 if column.format == "epoch_ns" else micros // int(MICROSECONDS[column.format])


class Calendar:
    """The dates and timestamps of one resource.

    Args:
        resource: The resource.
        zone: Time zone of its connection.
    """

    def __init__(self, resource: Resource, zone: ZoneInfo) -> None:
        self._window, self._incremental = resource.window, resource.incremental
        self.columns = {
            name: column
            for name, column in resource.columns.items()
            if column.type in (ColumnType.DATE, ColumnType.TIMESTAMP) and not column.placeholder
        }
        part = resource.window or resource.incremental
        self.filtered = part.field if part else None
        """The column that a date filter of the API speaks of."""
        self.step = max((_resolution(column.format) for column in self.columns.values()), default=1)
        """Resolution in milliseconds: that of the coarsest column."""
        self._delays = self._read_delays(zone)

    def _read_delays(self, zone: ZoneInfo) -> dict[str, tuple[timedelta | None, ...]]:
        """Return, by column, how long after the first of all examples its own are; ``None`` for a missing value."""
        examples = {
            name: [None if example is None else read_instant(str(example), zone) for example in column.examples]
            for name, column in self.columns.items()
        }
        first = min((each for several in examples.values() for each in several if each), default=EPOCH)
        return {
            name: tuple(None if each is None else each - first for each in several) or (timedelta(),)
            for name, several in examples.items()
        }

    def instants(
        self, span: Span, share: float, draws: random.Random, pick: Callable[[int], int]
    ) -> dict[str, datetime | None]:
        """Return the instants of one record by column.

        Args:
            span: When records come into being.
            share: Where in the span this one does, from 0 to 1.
            draws: Stream to draw from.
            pick: Chooses among that many examples.
        """
        window, incremental = self._window, self._incremental
        pace, moment = 0.3 + draws.random(), span.at(share, self.step)
        delays = {name: several[pick(len(several))] for name, several in self._delays.items()}
        if window:
            moment -= self._whole((delays.get(window.field) or timedelta()) * pace)
        instants = {
            name: None if delay is None else moment + self._whole(delay * pace) for name, delay in delays.items()
        }
        for name, several in self._delays.items():
            instant = instants[name]
            if None in several and instant and instant > span.end:
                instants[name] = None  # what may never happen has not happened yet
        if window and window.include_undated and draws.random() < _UNDATED:
            instants[window.field] = None
        if incremental:
            touched = Span(moment, max(span.end, moment)).at(draws.random(), self.step)
            instants[incremental.field] = moment if draws.random() < _UNTOUCHED else touched
        return instants

    def _whole(self, delay: timedelta) -> timedelta:
        return delay // (self.step * _MILLISECOND) * self.step * _MILLISECOND


def _resolution(format_: str) -> int:
    """Return the milliseconds below which a format says nothing."""
    if "%" in format_ and "%f" not in format_:
        return 1000 if "%S" in format_ else 60_000
    return 1000 if format_ == "epoch_s" else 1
