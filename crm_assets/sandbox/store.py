"""The store: tables of all connections by state, and the selections requests make from them."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from crm_assets.declarations import Connection, Resource
from crm_assets.sandbox.filters import UNBOUNDED, Bounds, instant_of
from crm_assets.sandbox.selection import Selection
from crm_assets.sandbox.states import next_day
from crm_assets.sandbox.tables import Maker, Table

_KEPT_SELECTIONS = 256
_Made = TypeVar("_Made")


class Store:
    """All rows of all connections, generated when first asked for.

    Args:
        makers: Who makes the rows, by connection.
        today: Last day of state 0.
    """

    def __init__(self, makers: dict[str, Maker], today: date) -> None:
        self._makers = makers
        self._today = today
        self._lock = threading.RLock()
        self._tables: dict[tuple[object, ...], Any] = {}
        self._selections: OrderedDict[tuple[object, ...], Selection] = OrderedDict()

    def table(self, connection: str, name: str, state: int) -> Table:
        """Return all rows of a resource as they stand after ``state`` days."""
        return self._kept((connection, name, state), lambda: self._make(connection, name, state))

    def parent_values(self, connection: str, name: str, state: int) -> list[Any] | None:
        """Return the values that bind rows to their parents, parent by parent; ``None`` without a parent."""
        parent = self._resource(connection, name).parent
        return self.table(connection, parent.resource, state).columns[parent.field] if parent else None

    def select(
        self, connection: str, name: str, state: int, parent: Any = None, bounds: Bounds = UNBOUNDED
    ) -> Selection:
        """Return the rows of one list.

        Args:
            connection: Name of the connection.
            name: Name of the resource.
            state: Days passed.
            parent: Value that binds the rows to their parent; ``None`` for the rows of all parents.
            bounds: DateRange of the window's or cursor's field.
        """
        key = (connection, name, state, parent, bounds)
        with self._lock:
            if key not in self._selections:
                self._selections[key] = self._select(connection, name, state, parent, bounds)
                if len(self._selections) > _KEPT_SELECTIONS:
                    self._selections.popitem(last=False)
            return self._selections[key]

    def _resource(self, connection: str, name: str) -> Resource:
        return self._connection(connection).system.resource(name)

    def _connection(self, connection: str) -> Connection:
        return self._makers[connection].connection

    def _kept(self, key: tuple[object, ...], make: Callable[[], _Made]) -> _Made:
        with self._lock:
            if key not in self._tables:
                self._tables[key] = make()
            kept: _Made = self._tables[key]
            return kept

    def _make(self, connection: str, name: str, state: int) -> Table:
        maker, resource = self._makers[connection], self._resource(connection, name)
        parents = self.parent_values(connection, name, state)
        if state <= 0:
            return maker.first_rows(resource, parents)
        before = self.table(connection, name, state - 1)
        return next_day(maker, resource, before, self._today + timedelta(days=state - 1), parents)

    def _select(self, connection: str, name: str, state: int, parent: Any, bounds: Bounds) -> Selection:
        table, resource = self.table(connection, name, state), self._resource(connection, name)
        key = (connection, name, state, "rows of", parent)
        indexes = self._kept(key, lambda: _of_parent(table, parent))
        if not bounds.open:
            key = (connection, name, state, "by time", parent)
            ordered = self._kept(key, lambda: _by_time(table, resource, indexes, self._connection(connection)))
            indexes = _inside(ordered, bounds)
        if resource.window and resource.window.per_partition:
            return _aggregate(table, resource, indexes, self._makers[connection])
        return Selection(table, indexes, {})


def _of_parent(table: Table, parent: Any) -> Sequence[int]:
    if parent is None or table.parents is None:
        return range(len(table))
    return [index for index, value in enumerate(table.parents) if value == parent]


def _by_time(
    table: Table, resource: Resource, indexes: Sequence[int], connection: Connection
) -> tuple[list[datetime], list[int]]:
    part = resource.window or resource.incremental
    assert part
    values = table.columns[part.field]
    dated = [index for index in indexes if values[index] is not None]
    pairs = sorted((instant_of(values[index], connection.zone), index) for index in dated)
    return [moment for moment, _ in pairs], [index for _, index in pairs]


def _inside(ordered: tuple[list[datetime], list[int]], bounds: Bounds) -> list[int]:
    moments, indexes = ordered
    first = bisect_left(moments, bounds.start) if bounds.start else 0
    last = bisect_left(moments, bounds.end) if bounds.end else len(moments)
    return sorted(indexes[first:last])


def _aggregate(table: Table, resource: Resource, indexes: Sequence[int], maker: Maker) -> Selection:
    assert resource.window
    field = resource.window.field
    dates = table.columns[field]
    own = [name for name in resource.primary_key if name in table.columns and name != field]
    seen: dict[tuple[Any, ...], list[int]] = {}
    for index in indexes:
        parent = table.parents[index] if table.parents else None
        seen.setdefault((parent, *(table.columns[name][index] for name in own)), []).append(index)
    ordered = [sorted(group, key=lambda index: dates[index]) for group in seen.values()]
    told = [name for name in maker.subjects.roles(resource.name).created if name != field]
    return Selection(table, [group[-1] for group in ordered], {group[-1]: group[0] for group in ordered}, told)
