"""Dates and timestamps: read, sent, spread over the days served, and apart as a declaration's examples are."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.declarations.json_path import place
from crm_assets.declarations.models.columns import MICROSECONDS
from crm_assets.sandbox.bodies import Record
from crm_assets.sandbox.people import RowSeed

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
_ISO_8601: TypeAdapter[datetime] = TypeAdapter(datetime)
_STEPS = {"%f": 1, "%S": 1000, "%": 60_000, "epoch_s": 1000, "": 1}
"""Milliseconds below which a format that contains this, and nothing further up, says nothing."""
_UNDATED = 1 / 12
"""Share of rows without the date a window speaks of, where such rows exist."""
_UNTOUCHED = 0.4
"""Share of rows that were never changed."""


class Span(NamedTuple):
    """Two instants, both aware; the second is excluded."""

    start: datetime
    end: datetime

    def at(self, share: float, step: timedelta) -> datetime:
        """Return the instant after a share of the span, from 0 to below 1, cut to whole steps since 1970."""
        instant = self.start + share * (self.end - self.start)
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
    local = instant.astimezone(ZoneInfo(column.timezone) if column.timezone else zone)
    if column.type is ColumnType.DATE:
        local = datetime.combine(local, time(), local.tzinfo)
    if "%" in column.format:
        return local.strftime(column.format)
    if column.format == "iso":
        text = local.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return text[: len("2026-01-01")] if column.type is ColumnType.DATE else text
    micros = (local - EPOCH) // timedelta(microseconds=1)
    if column.format == "dotnet":
        return f"/Date({micros // 1000})/"
    return micros * 1000 // int(MICROSECONDS[column.format] * 1000)


class Calendar:
    """The dates and timestamps of one resource, whose connection is in that time zone."""

    def __init__(self, resource: Resource, zone: ZoneInfo) -> None:
        self._window, self._incremental, self._zone = resource.window, resource.incremental, zone
        kinds = (ColumnType.DATE, ColumnType.TIMESTAMP)
        dated = {name: each for name, each in resource.columns.items() if each.type in kinds}
        self.columns = {name: each for name, each in dated.items() if not each.placeholder}
        steps = [next(step for part, step in _STEPS.items() if part in each.format) for each in self.columns.values()]
        self.step = timedelta(milliseconds=max(steps, default=1))
        """Resolution of the coarsest column, and so of all instants."""
        self._examples = {
            name: [None if each is None else read_instant(str(each), zone) for each in column.examples]
            for name, column in self.columns.items()
        }
        self._first = min((each for several in self._examples.values() for each in several if each), default=EPOCH)

    def put_dates(self, record: Record, span: Span, share: float, row: RowSeed) -> datetime | None:
        """Put the dates of a row into its record; return the instant that a date filter speaks of.

        The row comes into being after a share (0 to 1) of the span.
        """
        pace, moment, window = 0.3 + row.draws.random(), span.at(share, self.step), self._window
        picks = {name: row.pick(several or [self._first]) for name, several in self._examples.items()}
        waits = {name: each and (each - self._first) * pace // self.step * self.step for name, each in picks.items()}
        if window:
            moment -= waits[window.field] or timedelta()
        # What may never happen has not happened yet.
        instants = {
            name: None if wait is None or (None in self._examples[name] and moment + wait > span.end) else moment + wait
            for name, wait in waits.items()
        }
        if window and window.include_undated and row.draws.random() < _UNDATED:
            instants[window.field] = None
        if self._incremental:
            touched = Span(moment, max(span.end, moment)).at(row.draws.random(), self.step)
            instants[self._incremental.field] = moment if row.draws.random() < _UNTOUCHED else touched
        placed = {name: self.put(record, name, instant) for name, instant in instants.items()}
        part = window or self._incremental
        return placed[part.field] if part else None

    def put(self, record: Record, name: str, instant: datetime | None) -> datetime | None:
        """Put an instant into a column of a record; return what a date filter takes it for."""
        column = self.columns[name]
        place(record, column.wire_path(name), instant and on_the_wire(column, instant, self._zone))
        if instant and column.type is ColumnType.DATE:
            return midnight(instant.astimezone(self._zone).date(), self._zone)
        return instant
