"""The passing of a day: which rows change, and how; which are gone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.declarations.json_path import dig
from crm_assets.sandbox.population import Population
from crm_assets.sandbox.records import Record
from crm_assets.sandbox.times import Calendar, Span, on_the_wire
from crm_assets.sandbox.wire import place

_CHANGED, _GONE = 20, 50
"""One row in that many changes or goes in a day."""
_ENOUGH_TO_LOSE = 20
_LIKED = (ColumnType.TEXT, ColumnType.BOOL, ColumnType.DECIMAL, ColumnType.DOUBLE, ColumnType.BIGINT)
"""Types of the columns a change shows in, the best first."""


class Changes:
    """The daily changes of the rows of one resource.

    Args:
        population: The people of its connection.
        resource: The resource.
        calendar: Its dates.
        zone: Time zone of the timestamps sent.
    """

    def __init__(self, population: Population, resource: Resource, calendar: Calendar, zone: ZoneInfo) -> None:
        self._population, self._resource, self._calendar, self._zone = population, resource, calendar, zone
        self._draws: dict[date, random.Random] = {}

    def choose(self, serials: Sequence[int], day: date) -> tuple[list[int], list[int]]:
        """Return the rows deleted and the rows changed on a day."""
        name, count = self._resource.name, len(serials)
        losses = count // _GONE + 1 if count >= _ENOUGH_TO_LOSE and name not in self._population.families else 0
        draws = self._population.draws(name, day, "changes")
        touched = draws.sample(serials, min(count, losses + count // _CHANGED + 1))
        return touched[:losses], touched[losses:]

    def changed(self, record: Record, span: Span, day: date) -> Record:
        """Return a record with another value, and changed at some moment of the day if it has a change time."""
        draws = self._draws.setdefault(day, self._population.draws(self._resource.name, day, "updates"))
        if name := self._column:
            column = self._resource.columns[name]
            path = column.wire_path(name)
            place(record, path, _other(dig(record, path), column, draws))
        incremental = self._resource.incremental
        if incremental:
            column = self._resource.columns[incremental.field]
            moment = span.at(draws.random(), self._calendar.step)
            place(record, column.wire_path(incremental.field), on_the_wire(column, moment, self._zone))
        return record

    @cached_property
    def _column(self) -> str | None:
        """The column a change shows in: a status rather than a text, a text rather than a number."""
        resource, include = self._resource, self._resource.endpoint.include
        fixed = {*resource.primary_key, *self._population.counted(resource), *self._calendar.columns}
        fixed |= {one.column for one in self._population.references[resource.name]}
        fixed |= {one.parent.field for one in self._population.system.resources if one.parent}
        found = [
            (_LIKED.index(column.type), len(column.examples) < 2 or bool(column.pii), name)
            for name, column in resource.columns.items()
            if column.type in _LIKED and name not in fixed and not column.placeholder
            if not (include and column.wire_path(name)[0] == include.field)
        ]
        return min(found)[2] if found else None


def _other(value: Any, column: Column, draws: random.Random) -> Any:
    """Return another value on the wire than the present one."""
    if column.type is ColumnType.TEXT:
        others = [one for one in column.examples if one is not None and one != value and not column.pii]
        return draws.choice(others) if others else f"{value or 'Note'} (changed)"
    if column.type is ColumnType.BOOL:
        return not value
    return str(Decimal(value or 0) + 1) if column.type is ColumnType.DECIMAL else (value or 0) + 1
