"""Tables: all rows of a resource, made once, column by column, and kept."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from crm_assets.declarations import Connection, Resource
from crm_assets.declarations.loader import singular
from crm_assets.sandbox.draw import DateRange, midnight
from crm_assets.sandbox.overlap import agreed
from crm_assets.sandbox.subjects import Subjects, deal
from crm_assets.sandbox.times import Calendar
from crm_assets.sandbox.values import Rows, counted, values_of
from crm_assets.sandbox.world import PEOPLE_PER_COMPANY, person

_NULL_SHARE = 1 / 12
_OFTEN_NULL = 2 / 3
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Table:
    """All rows of a resource at one moment, column by column."""

    columns: dict[str, list[Any]]
    serials: list[int]
    parents: list[Any] | None
    """Per row the value that binds it to its parent's row."""

    def __len__(self) -> int:
        return len(self.serials)

    def row(self, index: int) -> dict[str, Any]:
        """Return one row by column name."""
        return {name: values[index] for name, values in self.columns.items()}

    def taken(self, indexes: Sequence[int]) -> Table:
        """Return the table of these rows only, in this order."""
        columns = {name: [values[i] for i in indexes] for name, values in self.columns.items()}
        parents = [self.parents[i] for i in indexes] if self.parents is not None else None
        return Table(columns, [self.serials[i] for i in indexes], parents)

    def extended(self, other: Table) -> Table:
        """Return the rows of both tables."""
        columns = {name: values + other.columns[name] for name, values in self.columns.items()}
        parents = self.parents + (other.parents or []) if self.parents is not None else None
        return Table(columns, self.serials + other.serials, parents)


class Maker:
    """Makes rows of one connection.

    Args:
        connection: The connection.
        rows: Typical number of rows of a resource.
        seed: Seed of all draws.
        start: First day with data.
        today: The last.
    """

    def __init__(self, connection: Connection, rows: int, seed: int, start: date, today: date) -> None:
        self.connection = connection
        self.subjects = Subjects(connection, rows, seed)
        self.span = DateRange(midnight(start, connection.zone), midnight(today, connection.zone))

    def first_rows(self, resource: Resource, parents: list[Any] | None) -> Table:
        """Return the table a resource begins with.

        Args:
            resource: The resource.
            parents: Values that bind its rows to the rows of its parent, if it has one.
        """
        size = 0 if parents == [] else self.subjects.size(resource.name)
        dealt = self.subjects.dealt(resource.name)
        table = self.rows(resource, range(size), self.span, parents, dealt, "first")
        return self._sighted(resource, table) if resource.window and resource.window.per_partition else table

    def new_rows(self, resource: Resource, serials: range, day: date, parents: list[Any] | None) -> Table:
        """Return rows that come into being during one day."""
        zone = self.connection.zone
        span = DateRange(midnight(day, zone), midnight(day + _DAY, zone))
        dealt = deal(len(serials), len(parents), self.subjects.draws(resource.name, day, "dealt")) if parents else None
        return self.rows(resource, serials if parents != [] else range(0), span, parents, dealt, day)

    def rows(
        self,
        resource: Resource,
        serials: range,
        span: DateRange,
        parents: list[Any] | None,
        dealt: list[int] | None,
        salt: object,
    ) -> Table:
        """Return new rows with these serial numbers; ``salt`` tells their draws from all others."""
        name, count = resource.name, len(serials)
        roles = self.subjects.roles(name)
        about = self.subjects.people_of(name, serials, dealt, self.subjects.draws(name, "people"))
        rows = Rows(serials, [person(number) for number in about], self.subjects.draws(name, salt), singular(name))
        calendar = Calendar(resource, roles, self.connection.zone)
        columns = calendar.fill(count, span, self.subjects.draws(name, salt, "times"))
        for column, declared in resource.columns.items():
            draws = self.subjects.draws(name, salt, column)
            if column == roles.key:
                columns[column] = counted(declared, serials)
            elif column in roles.references:
                columns[column] = self._references(resource, column, about, dealt, draws)
            elif column not in columns and not declared.placeholder:
                columns[column] = values_of(
                    column, declared, Rows(serials, rows.people, draws, rows.noun), roles.kind or ""
                )
            self._with_nulls(resource, column, columns, draws)
        bound = [parents[index] for index in dealt] if parents and dealt is not None else None
        ordered = {column: columns[column] for column in resource.columns if column in columns}
        return Table(agreed(resource, ordered, calendar.zone), list(serials), [] if parents == [] else bound)

    def _references(
        self, resource: Resource, column: str, about: list[int], dealt: list[int] | None, draws: random.Random
    ) -> list[Any]:
        target = self.subjects.roles(resource.name).references[column]
        keys = self.subjects.keys(target)
        if not keys:
            return [None] * len(about)
        chosen = self.subjects.choose(resource.name, target, len(about), dealt, draws)
        kind = self.subjects.roles(target).kind
        own_parent = resource.parent is not None and resource.parent.resource == target
        if kind is None or own_parent:
            return [keys[index] for index in chosen]
        known, step = self.subjects.key_by_subject(target), 1 if kind == "person" else PEOPLE_PER_COMPANY
        return [known.get(number // step, keys[index]) for number, index in zip(about, chosen, strict=True)]

    def _with_nulls(self, resource: Resource, column: str, columns: dict[str, list[Any]], draws: random.Random) -> None:
        roles, window = self.subjects.roles(resource.name), resource.window
        kept = {*resource.primary_key, "name", *roles.created, *roles.updated}
        kept |= {
            other.parent.field
            for other in self.subjects.system.resources
            if other.parent and other.parent.resource == resource.name
        }
        kept |= {window.field} if window else set()
        include_undated = window is not None and window.include_undated and column == window.field
        declared = resource.columns[column]
        if column in columns and (
            include_undated or (declared.nullable and column not in kept and len(declared.examples) != 1)
        ):
            share = _OFTEN_NULL if re.search(r"\bnull (while|for|where|on)\b", declared.description) else _NULL_SHARE
            share = _NULL_SHARE if include_undated else share
            columns[column] = [None if draws.random() < share else value for value in columns[column]]

    def _sighted(self, resource: Resource, table: Table) -> Table:
        """Return each row once per day it was seen on: the source of rows that aggregate over a window."""
        assert resource.window
        draws = self.subjects.draws(resource.name, "sightings")
        indexes = sorted([*range(len(table)), *draws.choices(range(len(table)), k=len(table))] if len(table) else [])
        seen = table.taken(indexes)
        roles = self.subjects.roles(resource.name)
        times = Calendar(resource, roles, self.connection.zone).fill(len(indexes), self.span, draws)
        order = draws.sample(range(len(indexes)), len(indexes))
        dated = {resource.window.field, *roles.created}
        seen.columns.update({name: [times[name][i] for i in order] for name in times if name in dated})
        return seen
