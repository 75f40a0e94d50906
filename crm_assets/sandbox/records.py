"""Records as an API sends them, made from what a declaration says, and changed from one day to the next."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.declarations.json_path import dig, place
from crm_assets.declarations.models.resource import Reference
from crm_assets.sandbox.bodies import Record, join_companion
from crm_assets.sandbox.population import STAFF, Population
from crm_assets.sandbox.times import Calendar, Span
from crm_assets.sandbox.values import Make, RowSeed, numbered, value_maker

_NULLS = 1 / 12
"""Share of values that are null of a column without examples."""
_SIGHTINGS = 3
"""Most days on which an aggregate is seen."""
_LIKED = (ColumnType.TEXT, ColumnType.BOOL, ColumnType.DECIMAL, ColumnType.DOUBLE, ColumnType.BIGINT)
"""Types of the columns a change shows in, the best first."""


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


class RecordMaker:
    """Makes the records of one resource, whose connection is in that time zone."""

    def __init__(self, population: Population, resource: Resource, zone: ZoneInfo) -> None:
        self._population, self._resource = population, resource
        self._calendar = Calendar(resource, zone)
        self._counted = population.counted(resource)
        parents = [each.parent.field for each in population.resources.values() if each.parent]
        self._fixed = {*resource.primary_key, *self._counted, *parents}
        columns = [
            (column.wire_path(name), column.type is not ColumnType.JSON, self._maker(name, column))
            for name, column in resource.columns.items()
            if not column.placeholder and name not in self._calendar.columns
        ]
        # What is inside a JSON value is put there after the value itself.
        self._columns = sorted(columns, key=lambda entry: (len(entry[0]), entry[1]))
        self._changing = self._changing_column()

    def rows(self, serials: range, span: Span) -> Iterator[StoredRow]:
        """Make new records, spread over a span: one each, of an aggregate one for every sighting."""
        window, include = self._resource.window, self._resource.endpoint.include
        for index, serial in enumerate(serials):
            draws = self._population.draws(self._resource.name, serial)
            shares = [(index + draws.random()) / len(serials)]
            if window and window.per_partition:
                shares = sorted(draws.random() for _ in range(draws.randint(1, _SIGHTINGS)))
            row, parent = self._row(serial, draws)
            record: Record = {}
            for path, _, make in self._columns:
                place(record, path, make(row))
            for share in shares:
                moment = self._calendar.put_dates(record, span, share, row)
                if include:
                    join_companion(include, record)
                yield StoredRow(serial, parent, moment, msgspec.json.encode(record))

    def changed(self, row: StoredRow, span: Span, draws: random.Random) -> StoredRow:
        """Return a row with another value, and changed at some moment of the span if it has a change time."""
        record, moment, incremental = msgspec.json.decode(row.record), row.moment, self._resource.incremental
        if self._changing:
            column = self._resource.columns[self._changing]
            path = column.wire_path(self._changing)
            place(record, path, _other(dig(record, path), column, draws))
        if incremental:
            changed = span.at(draws.random(), self._calendar.step)
            moment = self._calendar.put(record, incremental.field, changed)
        return row._replace(moment=moment, record=msgspec.json.encode(record))

    def _row(self, serial: int, draws: random.Random) -> tuple[RowSeed, int | None]:
        population, name = self._population, self._resource.name
        users = max((population.sizes[each] for each in population.staff), default=STAFF) or STAFF
        user = serial if name in population.staff else draws.randrange(users)
        subject, parent = population.origin(name, serial)
        return RowSeed(serial, subject, user, name in population.personal, draws), parent

    def _maker(self, name: str, column: Column) -> Make:
        if name in self._counted:
            return lambda row: numbered(column, row.serial)
        plain = value_maker(column)
        references = [each for each in self._population.references[self._resource.name] if each.column == name]
        if references:
            return lambda row: self._referring(column, references, plain, row)
        # The examples contain their own share of missing values.
        if not column.nullable or column.examples or name in self._fixed:
            return plain
        return lambda row: None if row.draws.random() < _NULLS else plain(row)

    def _referring(self, column: Column, references: list[Reference], plain: Make, row: RowSeed) -> Any:
        value = [] if column.type is ColumnType.JSON and not references[0].path else plain(row)
        for reference in references:
            many = isinstance(dig(value, reference.path), list)
            keys = [self._key(column, reference, row) for _ in range(row.draws.randint(1, 2) if many else 1)]
            present = [key for key in dict.fromkeys(keys) if key is not None]
            value = place(value, reference.path, present if many else keys[0])
        return value

    def _key(self, column: Column, reference: Reference, row: RowSeed) -> Any:
        """Return the key of the row that a row refers to, as a value of the referring column."""
        population, name, target = self._population, self._resource.name, reference.resource
        size, serial = population.sizes[target], row.user
        if target not in population.staff or target == name or not size:
            found = population.referred(name, target, row.serial, row.draws)
            if found is None and (column.nullable or not size):
                return None
            serial = row.draws.randrange(size) if found is None else found
        key = numbered(population.resources[target].columns[reference.key], serial)
        return str(key) if column.type is ColumnType.TEXT else key

    def _changing_column(self) -> str | None:
        """Return the column a change shows in: a status rather than a text, a text rather than a number."""
        include = self._resource.endpoint.include
        free = [
            (_LIKED.index(column.type), len(column.examples) < 2 or bool(column.pii), name)
            for name, column in self._resource.columns.items()
            if column.type in _LIKED and name not in self._fixed and not column.placeholder and not column.references
            if not (include and column.wire_path(name)[0] == include.field)
        ]
        return min(free)[2] if free else None


def _other(value: Any, column: Column, draws: random.Random) -> Any:
    """Return another value on the wire than the present one."""
    if column.type is ColumnType.TEXT:
        others = [each for each in column.examples if each is not None and each != value and not column.pii]
        return draws.choice(others) if others else f"{value or 'Note'} (changed)"
    if column.type is ColumnType.BOOL:
        return not value
    return str(Decimal(value or 0) + 1) if column.type is ColumnType.DECIMAL else (value or 0) + 1
