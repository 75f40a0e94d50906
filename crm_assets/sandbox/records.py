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
from crm_assets.declarations.json_path import dig
from crm_assets.declarations.models.resource import Reference
from crm_assets.sandbox.population import STAFF, Population
from crm_assets.sandbox.times import Calendar, Span, midnight, on_the_wire
from crm_assets.sandbox.values import Make, RowSeed, numbered, value_maker
from crm_assets.sandbox.wire import Record, join_companion, place

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
    record: str
    """The record as JSON."""


class RecordMaker:
    """Makes the records of one resource.

    Args:
        population: The people of its connection.
        resource: The resource.
        zone: Time zone of the connection.
    """

    def __init__(self, population: Population, resource: Resource, zone: ZoneInfo) -> None:
        self._population, self._resource, self._zone = population, resource, zone
        self._calendar = Calendar(resource, zone)
        self._references = population.references[resource.name]
        self._aggregated = bool(resource.window and resource.window.per_partition)
        self._fixed = {*resource.primary_key, *population.counted(resource)}
        self._fixed |= {child.parent.field for child in population.system.resources if child.parent}
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
        for index, serial in enumerate(serials):
            draws = self._population.draws(self._resource.name, serial)
            shares = [(index + draws.random()) / len(serials)]
            if self._aggregated:
                shares = sorted(draws.random() for _ in range(draws.randint(1, _SIGHTINGS)))
            row = self._row(serial, draws)
            record: Record = {}
            for path, _, make in self._columns:
                place(record, path, make(row))
            parent = self._population.origin(self._resource.name, serial).parent
            for share in shares:
                moment = self._put_dates(record, span, share, row)
                yield StoredRow(serial, parent, moment, _json_text(record))

    def changed(self, row: StoredRow, span: Span, draws: random.Random) -> StoredRow:
        """Return a row with another value, and changed at some moment of the span if it has a change time."""
        record, moment, incremental = msgspec.json.decode(row.record), row.moment, self._resource.incremental
        if self._changing:
            column = self._resource.columns[self._changing]
            path = column.wire_path(self._changing)
            place(record, path, _other(dig(record, path), column, draws))
        if incremental:
            moment = self._put_date(record, incremental.field, span.at(draws.random(), self._calendar.step))
        return row._replace(moment=moment, record=_json_text(record))

    def _row(self, serial: int, draws: random.Random) -> RowSeed:
        population, name = self._population, self._resource.name
        users = max((population.size(each) for each in population.staff), default=STAFF) or STAFF
        user = serial if name in population.staff else draws.randrange(users)
        return RowSeed(serial, population.origin(name, serial).subject, user, name in population.personal, draws)

    def _put_dates(self, record: Record, span: Span, share: float, row: RowSeed) -> datetime | None:
        """Put the dates of a moment into a record; return the instant that a date filter speaks of."""
        moment = None
        for name, instant in self._calendar.instants(span, share, row.draws, row.pick).items():
            put = self._put_date(record, name, instant)
            moment = put if name == self._calendar.filtered else moment
        if self._resource.endpoint.include:
            join_companion(self._resource.endpoint.include, record)
        return moment

    def _put_date(self, record: Record, name: str, instant: datetime | None) -> datetime | None:
        column = self._resource.columns[name]
        place(record, column.wire_path(name), instant and on_the_wire(column, instant, self._zone))
        if instant and column.type is ColumnType.DATE:
            return midnight(instant.astimezone(self._zone).date(), self._zone)
        return instant

    def _maker(self, name: str, column: Column) -> Make:
        if name in self._population.counted(self._resource):
            return lambda row: numbered(column, row.serial)
        plain = value_maker(column)
        references = [reference for reference in self._references if reference.column == name]
        if references:
            return lambda row: self._referring(column, references, plain, row)
        # The examples contain their own share of missing values.
        if not column.nullable or column.examples or name in self._fixed:
            return plain
        return lambda row: None if row.draws.random() < _NULLS else plain(row)

    def _referring(self, column: Column, references: list[Reference], plain: Make, row: RowSeed) -> Any:
        value = [] if column.type is ColumnType.JSON and not references[0].path else plain(row)
        for reference in references:
            many = column.type is ColumnType.JSON and isinstance(dig(value, reference.path), list)
            keys = [self._key(column, reference, row) for _ in range(row.draws.randint(1, 2) if many else 1)]
            present = [key for key in dict.fromkeys(keys) if key is not None]
            value = place(value, reference.path, present if many else keys[0])
        return value

    def _key(self, column: Column, reference: Reference, row: RowSeed) -> Any:
        """Return the key of the row that a row refers to, as a value of the referring column."""
        population, target = self._population, self._population.system.resource(reference.resource)
        size = population.size(target.name)
        if target.name in population.staff and target.name != self._resource.name and size:
            serial: int | None = row.user
        else:
            serial = population.referred(self._resource.name, target.name, row.serial, row.draws)
        if serial is None and not column.nullable and size:
            serial = row.draws.randrange(size)
        key = None if serial is None else numbered(target.columns[reference.key], serial)
        return str(key) if key is not None and column.type is ColumnType.TEXT else key

    def _changing_column(self) -> str | None:
        """Return the column a change shows in: a status rather than a text, a text rather than a number."""
        resource, include = self._resource, self._resource.endpoint.include
        fixed = self._fixed | {*self._calendar.columns} | {reference.column for reference in self._references}
        free = [
            (_LIKED.index(column.type), len(column.examples) < 2 or bool(column.pii), name)
            for name, column in resource.columns.items()
            if column.type in _LIKED and name not in fixed and not column.placeholder
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


def _json_text(record: Record) -> str:
    return msgspec.json.encode(record).decode()
