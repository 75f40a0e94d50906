"""The passing of days: some rows change, some come, some go."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.sandbox.draw import DateRange, midnight, moment
from crm_assets.sandbox.tables import Maker, Table
from crm_assets.sandbox.times import Calendar, dated
from crm_assets.sandbox.wire import containing

_CHANGED, _NEW, _GONE = 20, 40, 50
"""One row in that many changes, comes or goes in a day."""
_ENOUGH_TO_LOSE = 20


def next_day(maker: Maker, resource: Resource, table: Table, day: date, parents: list[Any] | None) -> Table:
    """Return the table as it stands after one more day.

    Args:
        maker: Makes the new rows.
        resource: Whose rows they are.
        table: The table of the day before.
        day: The day that passes.
        parents: Values that bind new rows to the rows of the parent, if there is one.
    """
    draws = maker.subjects.draws(resource.name, day, "changes")
    family = resource.name in maker.subjects.families
    losses = len(table) // _GONE + 1 if len(table) >= _ENOUGH_TO_LOSE and not family else 0
    touched = draws.sample(range(len(table)), min(len(table), losses + len(table) // _CHANGED + 1))
    gone = set(touched[:losses])
    changed = _changed(maker, resource, table, touched[losses:], day)
    new = maker.new_rows(resource, _serials(table), day, parents)
    return changed.taken([index for index in range(len(table)) if index not in gone]).extended(new)


def _serials(table: Table) -> range:
    first = max(table.serials, default=-1) + 1
    return range(first, first + len(table) // _NEW + 1)


def _changed(maker: Maker, resource: Resource, table: Table, indexes: list[int], day: date) -> Table:
    """Return a copy of the table in which these rows have a new value and a new time of update."""
    columns = dict(table.columns)
    draws = maker.subjects.draws(resource.name, day, "updates")
    name = _changeable(maker, resource)
    if name:
        columns[name] = list(columns[name])
        for index in indexes:
            columns[name][index] = _other(columns[name][index], resource.columns[name], draws)
    calendar = Calendar(resource, maker.subjects.roles(resource.name), maker.connection.zone)
    span = DateRange(midnight(day, calendar.zone), midnight(day + timedelta(days=1), calendar.zone))
    at = {index: moment(span, int(draws.random() * span.milliseconds), calendar.step) for index in indexes}
    for updated in calendar.roles.updated:
        columns[updated] = list(columns[updated])
        for index, when in at.items():
            columns[updated][index] = dated(resource.columns[updated], [when], calendar.zone)[0]
    return Table(columns, table.serials, table.parents)


def _changeable(maker: Maker, resource: Resource) -> str | None:
    """Return the column a change shows in: a status rather than a text, a text rather than a number."""
    roles, include = maker.subjects.roles(resource.name), resource.endpoint.include
    fixed = {*resource.primary_key, *roles.references, *roles.times}
    fixed |= {each.parent.field for each in maker.subjects.system.resources if each.parent}
    fixed |= {outer for name in resource.columns if (outer := containing(resource, name))}
    found = [
        (_liking(column), name)
        for name, column in resource.columns.items()
        if name not in fixed
        and not column.placeholder
        and not containing(resource, name)
        and not (include and column.wire_path(name)[0] == include.field)
        and _liking(column) < len(_LIKED)
    ]
    return min(found)[1] if found else None


_LIKED = (ColumnType.TEXT, ColumnType.TEXT, ColumnType.BOOL, ColumnType.DECIMAL, ColumnType.DOUBLE, ColumnType.BIGINT)


def _liking(column: Column) -> int:
    if column.type is ColumnType.TEXT:
        return 0 if len(column.examples) > 1 and not column.pii else 1
    return _LIKED.index(column.type) if column.type in _LIKED else len(_LIKED)


def _other(value: Any, column: Column, draws: random.Random) -> Any:
    if column.type is ColumnType.TEXT:
        others = [str(example) for example in column.examples if example != value]
        return draws.choice(others) if others and not column.pii else f"{value or 'Note'} (changed)"
    if column.type is ColumnType.BOOL:
        return not value
    return (value or 0) + (Decimal(1) if column.type is ColumnType.DECIMAL else 1)
