"""Who the rows of each resource are about and which rows they refer to, so that all references agree."""

from __future__ import annotations

import random
from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple

from crm_assets.declarations import ColumnType, Connection, Resource
from crm_assets.sandbox.people import ADA, CORA, PLACE, speaks_of

STAFF = 8
"""Colleagues of a system, each a row where it has a list of them."""
_SMALLEST_FACTOR = 0.75
"""Share of the typical number of rows that each full list has at least; as many people are in all of them."""
_FAMILY = 3
"""Rows of a resource that others are read per row of: each row costs a list of requests."""
_SELF_REFERENCES = 0.2
"""Share of rows that refer to another row of their own resource, such as a customer recommended by a customer."""
_IDENTITY = frozenset({"name", "email", "phone"})


class Origin(NamedTuple):
    """What is decided about a row before its values are made."""

    subject: int
    """Number of the person it is about."""
    parent: int | None
    """Which of the parent's rows it belongs to, from 0; ``None`` without a parent."""


class Population:
    """The people of one connection: rows refer to rows about the same person.

    Args:
        connection: The connection.
        rows: Typical number of rows of a resource.
        seed: Seed of all draws.
    """

    def __init__(self, connection: Connection, rows: int, seed: int) -> None:
        self.system, self._rows, self._seed = connection.system, rows, f"{seed}/{connection.name}"
        resources = self.system.resources
        self.references = {each.name: self.system.references(each) for each in resources}
        self.families = {each.parent.resource for each in resources if each.parent}
        self.staff = {each.name for each in resources if _speaks_of(CORA, each) and not _speaks_of(ADA, each)}
        self.personal = self._about_people()
        self._first_person = self.draws("people").randrange(rows // 3 + 1)  # systems share most people, not all
        self._sizes = {each.name: self._size(each) for each in resources}
        self._pool = max(round(rows * _SMALLEST_FACTOR), 1)
        self._order = lru_cache(maxsize=None)(
            lambda name: self.draws(name, "order").sample(range(self._pool), self._pool)
        )
        self._rows_about = lru_cache(maxsize=None)(self._index)

    def draws(self, *stream: object) -> random.Random:
        """Return the random stream of that name, the same in every run and process."""
        return random.Random("/".join(map(str, (self._seed, *stream))))  # noqa: S311 - test data, not cryptography

    def size(self, name: str) -> int:
        """Return the initial number of rows of a resource."""
        return self._sizes[name]

    def counted(self, resource: Resource) -> tuple[str, ...]:
        """Return the columns whose values count the rows: the key, and what other resources refer to."""
        referred = {ref.key for refs in self.references.values() for ref in refs if ref.resource == resource.name}
        own = {reference.column for reference in self.references[resource.name] if not reference.path}
        countable = [
            name
            for name, column in resource.columns.items()
            if column.type in (ColumnType.TEXT, ColumnType.BIGINT) and not column.placeholder and name not in own
        ]
        keys = [name for name in resource.primary_key if name in countable][:1]
        return (*keys, *(name for name in countable if name in referred and name not in keys))

    def origin(self, name: str, serial: int) -> Origin:
        """Return whom row ``serial`` of a resource is about and where it belongs."""
        parent = self.system.resource(name).parent
        if parent and parent.resource in self.personal and self.size(parent.resource):
            row = self._parent(parent.resource, f"{name}/{serial}")
            return Origin(self.origin(parent.resource, row).subject, row)
        fresh = serial >= self._pool and _is_unique(self.system.resource(name))
        subject = self._first_person + (serial if fresh else self._order(name)[serial % self._pool])
        # Lists below one parent are about the same people: what they have in common refers to each other.
        return Origin(subject, self._parent(parent.resource, subject) if parent and self._rows else None)

    def referred(self, name: str, target: str, serial: int, draws: random.Random) -> int | None:
        """Return the row of another resource that row ``serial`` refers to, by its number, or ``None`` for none."""
        parent, origin, rows = self.system.resource(name).parent, self.origin(name, serial), range(self.size(target))
        if parent and parent.resource == target:
            return origin.parent
        if target == name:
            other = draws.choice(rows) if rows and draws.random() < _SELF_REFERENCES else serial
            return None if other == serial or self.origin(name, other).parent != origin.parent else other
        above = self.system.resource(target).parent
        alike = {name, target} <= self.personal or (parent and above and parent.resource == above.resource)
        candidates = self._rows_about(target).get(origin.subject, ()) if alike else rows
        return draws.choice(candidates) if candidates else None

    def _size(self, resource: Resource) -> int:
        if resource.name in self.families | self.staff:
            return min(_FAMILY if resource.name in self.families else STAFF, self._rows)
        share = 0.25 if resource.endpoint.paginator.type == "single_page" else 1.0
        share *= 0.5 if resource.window and resource.window.per_partition else 1.0
        return round(self._rows * share * (_SMALLEST_FACTOR + self.draws(resource.name, "size").random() / 2))

    def _parent(self, name: str, key: object) -> int:
        """Return the row of a parent that a child belongs to: earlier parents have more children."""
        rows = range(self.size(name))
        return self.draws(name, "children", key).choices(rows, [1 / (row + 1) for row in rows])[0]

    def _index(self, name: str) -> dict[int, list[int]]:
        index = defaultdict(list)
        for row in range(self.size(name)):
            index[self.origin(name, row).subject].append(row)
        return dict(index)

    def _about_people(self) -> set[str]:
        """Return the resources that hold people or companies, and those that refer to them."""
        about = {each.name for each in self.system.resources if _speaks_of(ADA | PLACE, each) or _has_identity(each)}
        about -= self.staff
        while more := {
            name
            for name, references in self.references.items()
            if name not in about | self.staff and any(reference.resource in about for reference in references)
        }:
            about |= more
        return about


def _speaks_of(words: frozenset[str], resource: Resource) -> bool:
    return any(speaks_of(words, column.examples) for column in resource.columns.values())


def _has_identity(resource: Resource) -> bool:
    columns = resource.columns.values()
    return any(column.pii in _IDENTITY and not speaks_of(CORA, column.examples) for column in columns)


def _is_unique(resource: Resource) -> bool:
    """Return whether each row is a person of its own, as an e-mail address says."""
    return any(column.pii == "email" for column in resource.columns.values())
