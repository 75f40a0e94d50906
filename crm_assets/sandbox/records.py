"""Records as an API sends them, made from what a declaration says: types, classes of personal data, examples."""

from __future__ import annotations

import random
from typing import Any
from zoneinfo import ZoneInfo

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.declarations.json_path import dig
from crm_assets.declarations.models.resource import Reference
from crm_assets.sandbox.people import colleague, person
from crm_assets.sandbox.population import Population
from crm_assets.sandbox.times import Calendar, Span, on_the_wire
from crm_assets.sandbox.values import Make, RowSeed, counted, value_maker
from crm_assets.sandbox.wire import join_companion, place

Record = dict[str, Any]
_NULLS = 1 / 12
"""Share of values that are null of a column without examples."""
_STAFF = 8
"""Colleagues of a system that has no list of them."""


class RecordMaker:
    """Makes the records of one resource.

    Args:
        population: The people of its connection.
        resource: The resource.
        zone: Time zone of the timestamps sent.
    """

    def __init__(self, population: Population, resource: Resource, zone: ZoneInfo) -> None:
        self._population, self._resource, self._zone = population, resource, zone
        self.calendar = Calendar(resource, zone)
        self._counted = population.counted(resource)
        self._kept = {*resource.primary_key, *self._counted}
        self._kept |= {one.parent.field for one in population.system.resources if one.parent}
        columns = [
            (column.wire_path(name), column.type is not ColumnType.JSON, self._maker(name, column))
            for name, column in resource.columns.items()
            if not column.placeholder and name not in self.calendar.columns
        ]
        # What is inside a JSON value is put there after the value itself.
        self._columns = sorted(columns, key=lambda entry: (len(entry[0]), entry[1]))

    def make(self, serial: int, subject: int, parent: int | None, draws: random.Random) -> Record:
        """Return a record without its dates.

        Args:
            serial: Number of the row among all that ever were, from 0.
            subject: Number of the person it is about.
            parent: Which of the parent's rows it belongs to, if it has a parent.
            draws: Stream to draw from.
        """
        name = self._resource.name
        users = max((self._population.size(each) for each in self._population.staff), default=_STAFF) or _STAFF
        user = serial if name in self._population.staff else draws.randrange(users)
        row = RowSeed(serial, subject, parent, user, person(subject), colleague(user), draws)
        record: Record = {}
        for path, _, make in self._columns:
            place(record, path, make(row))
        return record

    def dated(self, record: Record, span: Span, share: float, draws: random.Random) -> Record:
        """Return the record with the dates of a moment; see :meth:`Calendar.values`."""
        for name, value in self.calendar.values(span, share, draws).items():
            column = self._resource.columns[name]
            wire = None if value is None else on_the_wire(column, value, self._zone)
            place(record, column.wire_path(name), wire)
        if self._resource.endpoint.include:
            join_companion(self._resource.endpoint.include, record)
        return record

    def key(self, column: str, serial: int) -> Any:
        """Return the value of a counted column in the row of that number."""
        return counted(self._resource.columns[column], serial)

    def _maker(self, name: str, column: Column) -> Make:
        make = self._counting(name) if name in self._counted else self._value_maker(name, column)
        # The examples contain their own share of missing values.
        if not column.nullable or column.examples or name in self._kept or name in self._referring():
            return make
        return lambda row: None if row.draws.random() < _NULLS else make(row)

    def _counting(self, name: str) -> Make:
        return lambda row: self.key(name, row.serial)

    def _referring(self) -> set[str]:
        return {one.column for one in self._population.references[self._resource.name]}

    def _value_maker(self, name: str, column: Column) -> Make:
        plain = value_maker(column)
        references = [one for one in self._population.references[self._resource.name] if one.column == name]
        if not references:
            return plain

        def make(row: RowSeed) -> Any:
            value = [] if column.type is ColumnType.JSON and not references[0].path else plain(row)
            for one in references:
                many = column.type is ColumnType.JSON and isinstance(dig(value, one.path), list)
                keys = [self._referred(one, row) for _ in range(row.draws.randint(1, 2) if many else 1)]
                found = [key for key in dict.fromkeys(keys) if key is not None] if many else keys[0]
                value = place(value, one.path, found)
            return value

        return make

    def _referred(self, reference: Reference, row: RowSeed) -> Any:
        population, target = self._population, self._population.system.resource(reference.resource)
        if target.name in population.staff and target.name != self._resource.name and population.size(target.name):
            serial: int | None = row.user
        else:
            serial = population.related(self._resource.name, reference, row.serial, row.subject, row.parent, row.draws)
        if serial is None and not self._resource.columns[reference.column].nullable and population.size(target.name):
            serial = row.draws.randrange(population.size(target.name))
        if serial is None:
            return None
        key = counted(target.columns[reference.key], serial)
        return str(key) if self._resource.columns[reference.column].type is ColumnType.TEXT else key
