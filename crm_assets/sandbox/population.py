"""Who the rows of each resource are about and which rows they refer to, so that all references agree."""

from __future__ import annotations

import random
from collections import defaultdict
from functools import cache

from crm_assets.declarations import ColumnType, Connection, Resource
from crm_assets.sandbox.people import RowSeed, examples_of, groups_in

_STAFF = 8
"""Colleagues of a system, each a row where it has a list of them."""
_SMALLEST_FACTOR = 0.75
"""Share of the typical number of rows that each full list has at least; as many people are in all of them."""
_FAMILY = 3
"""Rows of a resource that others are read per row of: each row costs a list of requests."""
_SELF_REFERENCES = 0.2
"""Share of rows that refer to another row of their own resource, such as a customer recommended by a customer."""


class Population:
    """The people of one connection, with ``rows`` typical of a resource: rows refer to rows about the same person."""

    def __init__(self, connection: Connection, rows: int, seed: int) -> None:
        self.resources = {each.name: each for each in connection.system.resources}
        self._rows, self._seed = rows, f"{seed}/{connection.name}"
        self.references = {name: connection.system.references(each) for name, each in self.resources.items()}
        self._referred = {(each.resource, each.key) for several in self.references.values() for each in several}
        self._above = {name: each.parent and each.parent.resource for name, each in self.resources.items()}
        self.families = {*self._above.values()}
        """The resources that others are read per row of."""
        columns = {name: each.columns.values() for name, each in self.resources.items()}
        given = {name: groups_in([*map(examples_of, several)]) for name, several in columns.items()}
        own = {name: groups_in([each.examples for each in several]) for name, several in columns.items()}
        self._staff = {name for name, groups in own.items() if "colleague" in groups and "person" not in groups}
        others = columns.keys() - self._staff
        about = {name for name in others if given[name] & {"person", "place"}}
        for _ in others:  # as many times as a chain of references may be long
            about |= {name for name in others for each in self.references[name] if each.resource in about}
        self._personal = about
        """The resources that hold people or companies, and those that refer to them."""
        self._first_person = self.draws("people").randrange(rows // 3 + 1)  # systems share most people, not all
        self.sizes = {name: self._size(each) for name, each in self.resources.items()}
        """The initial number of rows of each resource."""
        self._users = max((self.sizes[name] for name in self._staff), default=_STAFF) or _STAFF
        self._pool = max(round(rows * _SMALLEST_FACTOR), 1)
        self._order = cache(lambda name: self.draws(name, "order").sample(range(self._pool), self._pool))
        self._rows_about = cache(self._index)

    def draws(self, *stream: object) -> random.Random:
        """Return the random stream of that name, the same in every run and process."""
        return random.Random("/".join(map(str, (self._seed, *stream))))  # noqa: S311 - test data, not cryptography

    def counted(self, resource: Resource) -> tuple[str, ...]:
        """Return the columns whose values count the rows: the key, and what other resources refer to."""
        referring = {each.column for each in self.references[resource.name] if not each.path}
        countable = [
            name
            for name, column in resource.columns.items()
            if column.type in (ColumnType.TEXT, ColumnType.BIGINT) and not column.placeholder and name not in referring
        ]
        keys = [name for name in resource.primary_key if name in countable][:1]
        return tuple(dict.fromkeys([*keys, *(name for name in countable if (resource.name, name) in self._referred)]))

    def fixed(self, resource: Resource) -> set[str]:
        """Return the columns that rows are recognized by, which neither are null nor change."""
        parents = [each.parent.field for each in self.resources.values() if each.parent]
        return {*resource.primary_key, *self.counted(resource), *parents}

    def row(self, name: str, serial: int, draws: random.Random) -> RowSeed:
        """Return what the row of that number is made from."""
        user = serial if name in self._staff else draws.randrange(self._users)
        return RowSeed(name, serial, *self._origin(name, serial), user, name in self._personal, draws)

    def _origin(self, name: str, serial: int) -> tuple[int, int | None]:
        """Return the number of the person a row is about, and which of the parent's rows, if any, it belongs to."""
        above = self._above[name]
        if above in self._personal and self.sizes[above]:
            row = self._parent(above, f"{name}/{serial}")
            return self._origin(above, row)[0], row
        # Each row is a person of its own where it has an e-mail address.
        fresh = serial >= self._pool and any(each.pii == "email" for each in self.resources[name].columns.values())
        subject = self._first_person + (serial if fresh else self._order(name)[serial % self._pool])
        # Lists below one parent are about the same people: what they have in common refers to each other.
        return subject, self._parent(above, subject) if above and self._rows else None

    def referred(self, row: RowSeed, target: str, *, optional: bool) -> int | None:
        """Return the number of the row of a resource that a row refers to; ``None``, if it may, for none."""
        above, rows, found = self._above[row.resource], range(self.sizes[target]), None
        if target in self._staff and target != row.resource and rows:
            return row.user
        if target == above:
            found = row.parent
        elif target == row.resource:
            other = row.draws.choice(rows) if rows and row.draws.random() < _SELF_REFERENCES else row.serial
            found = other if other != row.serial and self._origin(target, other)[1] == row.parent else None
        else:
            alike = {row.resource, target} <= self._personal or (above and above == self._above[target])
            candidates = self._rows_about(target).get(row.subject, ()) if alike else rows
            found = row.draws.choice(candidates) if candidates else None
        return row.draws.choice(rows) if found is None and rows and not optional else found

    def _size(self, resource: Resource) -> int:
        if resource.name in self.families | self._staff:
            return min(_FAMILY if resource.name in self.families else _STAFF, self._rows)
        share = 0.25 if resource.endpoint.paginator.type == "single_page" else 1.0
        share *= 0.5 if resource.window and resource.window.per_partition else 1.0
        return round(self._rows * share * (_SMALLEST_FACTOR + self.draws(resource.name, "size").random() / 2))

    def _parent(self, name: str, key: object) -> int:
        """Return the row of a parent that a child belongs to: earlier parents have more children."""
        rows = range(self.sizes[name])
        return self.draws(name, "children", key).choices(rows, [1 / (row + 1) for row in rows])[0]

    def _index(self, name: str) -> dict[int, list[int]]:
        index = defaultdict(list)
        for row in range(self.sizes[name]):
            index[self._origin(name, row)[0]].append(row)
        return dict(index)
