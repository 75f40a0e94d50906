"""The rows of a resource as they are day after day, and the lists of them that requests ask for."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec

from crm_assets.declarations import Connection
from crm_assets.declarations.json_path import Segments, dig, place
from crm_assets.sandbox.bodies import Record, join_companion
from crm_assets.sandbox.population import Population
from crm_assets.sandbox.times import DAY, Calendar, Span, midnight
from crm_assets.sandbox.values import changing_column, other_value, value_maker

_CHANGED_SHARE, _DELETED_SHARE, _NEW_SHARE = 20, 50, 40
"""One row in that many changes, goes or comes in a day."""
_ENOUGH_TO_LOSE = 20
"""Rows from which on some are deleted."""
_SIGHTINGS = 3
"""Most days on which an aggregate is seen."""


class StoredRow(NamedTuple):
    """A record and what requests choose it by."""

    serial: int
    """Number of the row among all that ever were, from 0; the sightings of an aggregate share one."""
    parent: int | None
    """Which of the parent's rows it belongs to."""
    moment: datetime | None
    """The instant a date filter speaks of."""
    record: bytes
    """The record as JSON."""


class RecordList:
    """The records one list of an API consists of."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._texts = [*texts]
        self._positions: dict[Segments, dict[str, int]] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def page(self, start: int, end: int | None = None) -> list[Record]:
        """Return the records from one position to another, which is excluded."""
        return [msgspec.json.decode(text) for text in self._texts[start:end]]

    def position(self, path: Segments, value: str) -> int | None:
        """Return the position of the last record that has this value, compared as text, at a path."""
        if path not in self._positions:
            self._positions[path] = {str(dig(record, path)): index for index, record in enumerate(self.page(0))}
        return self._positions[path].get(value)


class Table:
    """The rows of a resource after each number of days that have passed, made when they are first asked for.

    Before any passed, they are spread from the day ``start`` to ``today``.
    """

    def __init__(self, connection: Connection, resource: str, population: Population, start: date, today: date) -> None:
        self.resource, self.zone = connection.system.resource(resource), connection.zone
        self.records = lru_cache(maxsize=256)(self._records)
        self.days: list[list[StoredRow]] = []
        """The rows of the days made so far, in the order they came; the first day is that before any passed."""
        self._population, self._today = population, today
        whole = Span(midnight(start, self.zone), midnight(today + DAY if self.resource.window else today, self.zone))
        columns, self._calendar = self.resource.columns, Calendar(self.resource, self.zone)
        made = [name for name, each in columns.items() if not each.placeholder and name not in self._calendar.columns]
        # What is inside a JSON value is put there after the value itself.
        names = sorted(made, key=lambda name: (len(columns[name].wire_path(name)), columns[name].type != "json"))
        self._makers = [(columns[name].wire_path(name), value_maker(population, self.resource, name)) for name in names]
        self._changing = changing_column(population, self.resource)
        self._serial = 0
        """Number of the next row."""
        self._first_rows = self._new(population.sizes[resource], whole)
        self._lock = threading.Lock()

    def _records(self, state: int, parent: int | None = None, span: Span | None = None) -> RecordList:
        """Return the list of the rows after ``state`` days: of one row of the parent and in a span, where given."""
        with self._lock:
            while len(self.days) <= state:
                self.days.append(self._next_day(self.days[-1]) if self.days else [*self._first_rows])
        rows = [row for row in self.days[state] if parent in (None, row.parent)]
        if span:
            rows = [row for row in rows if row.moment and span.start <= row.moment < span.end]
        # An aggregate is one row for all its sightings in the span: the last of them.
        return RecordList({row.serial: row.record for row in rows}.values())

    def _next_day(self, rows: list[StoredRow]) -> list[StoredRow]:
        """Return the rows of the day before, of which some changed or went, and new ones."""
        name, parent, day = self.resource.name, self.resource.parent, self._today + (len(self.days) - 1) * DAY
        span, draws = Span(midnight(day, self.zone), midnight(day + DAY, self.zone)), self._population.draws(name, day)
        serials = [*dict.fromkeys(row.serial for row in rows)]
        count, lasting = len(serials), len(serials) < _ENOUGH_TO_LOSE or name in self._population.families
        losses = 0 if lasting else count // _DELETED_SHARE + 1
        touched = draws.sample(serials, min(count, losses + count // _CHANGED_SHARE + 1))
        lost, changed = {*touched[:losses]}, {*touched[losses:]}
        kept = [row for row in rows if row.serial not in lost]
        kept = [self._changed(row, span, draws) if row.serial in changed else row for row in kept]
        barren = parent and not self._population.sizes[parent.resource]
        return [*kept, *self._new(0 if barren else count // _NEW_SHARE + 1, span)]

    def _new(self, count: int, span: Span) -> Iterator[StoredRow]:
        """Make new rows, spread over a span: one each, of an aggregate one for every sighting."""
        window, include = self.resource.window, self.resource.endpoint.include
        for index in range(count):
            serial, self._serial = self._serial, self._serial + 1
            draws = self._population.draws(self.resource.name, serial)
            shares = [(index + draws.random()) / count]
            if window and window.per_partition:
                shares = sorted(draws.random() for _ in range(draws.randint(1, _SIGHTINGS)))
            row, record = self._population.row(self.resource.name, serial, draws), Record()
            for path, make in self._makers:
                place(record, path, make(row))
            for share in shares:
                moment = self._calendar.put_dates(record, span, share, row)
                if include:
                    join_companion(include, record)
                yield StoredRow(serial, row.parent, moment, msgspec.json.encode(record))

    def _changed(self, row: StoredRow, span: Span, draws: random.Random) -> StoredRow:
        """Return a row with another value, and changed at some moment of the span if it has a change time."""
        record, moment, incremental = msgspec.json.decode(row.record), row.moment, self.resource.incremental
        if name := self._changing:
            column = self.resource.columns[name]
            place(record, column.wire_path(name), other_value(dig(record, column.wire_path(name)), column, draws))
        if incremental:
            moment = self._calendar.put(record, incremental.field, span.at(draws.random(), self._calendar.step))
        return row._replace(moment=moment, record=msgspec.json.encode(record))
