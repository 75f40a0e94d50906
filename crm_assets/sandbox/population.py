"""The people and parents behind the rows of each resource, decided before the first row is made."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from crm_assets.declarations import Column, ColumnType, Connection, Resource
from crm_assets.declarations.models.resource import Reference
from crm_assets.sandbox.people import ADA, CORA, Colleague, Person, speaks_of

_FAMILY = 3
"""Rows of a resource that others are read per row of: each row costs a list of requests."""
_SELF_REFERENCES = 0.2
"""Share of rows that refer to another row of their own resource, such as a customer recommended by a customer."""
_IDENTITY = frozenset({"name", "email", "phone"})


class Plan(NamedTuple):
    """Facts about rows, decided before they are made."""

    subjects: list[int]
    """Number of the person each row is about."""
    parents: list[int] | None
    """Which of the parent's rows each belongs to, counted from 0; ``None`` without a parent."""


class Population:
    """The people of one connection, so that all references agree: rows refer to rows about the same person.

    Args:
        connection: The connection.
        rows: Typical number of rows of a resource.
        seed: Seed of all draws.
    """

    def __init__(self, connection: Connection, rows: int, seed: int) -> None:
        self.system, self._rows, self._origin = connection.system, rows, (seed, connection.name)
        self.references = {one.name: self.system.references(one) for one in self.system.resources}
        self.families = {one.parent.resource for one in self.system.resources if one.parent}
        self.staff = {one.name for one in self.system.resources if _speaks_of(CORA, one) and not _speaks_of(ADA, one)}
        self._personal = self._about_people()
        self._sources = self._find_sources()
        self._plans: dict[str, Plan] = {}
        self._groups: dict[tuple[str, str], dict[int, list[int]]] = {}
        self._sizes = {one.name: self._size(one) for one in self.system.resources}

    def draws(self, *parts: object) -> random.Random:
        """Return the random stream of that name, the same in every run and process."""
        return random.Random("/".join(map(str, (*self._origin, *parts))))  # noqa: S311 - test data, not cryptography

    def size(self, name: str) -> int:
        """Return the initial number of rows of a resource (of an aggregate: of its subjects)."""
        return self._sizes[name]

    def _size(self, resource: Resource) -> int:
        if resource.name in self.families:
            return min(_FAMILY, self._rows)
        share = 0.25 if resource.endpoint.paginator.type == "single_page" else 1.0
        share *= 0.5 if resource.window and resource.window.per_partition else 1.0
        return round(self._rows * share * (0.75 + self.draws(resource.name, "size").random() / 2))

    def counted(self, resource: Resource) -> tuple[str, ...]:
        """Return the columns whose values count the rows: the key, and what other resources refer to."""
        referred = {one.key for several in self.references.values() for one in several if one.resource == resource.name}
        own = {one.column for one in self.references[resource.name] if not one.path}
        countable = [
            name
            for name, column in resource.columns.items()
            if column.type in (ColumnType.TEXT, ColumnType.BIGINT) and not column.placeholder
        ]
        keys = [name for name in resource.primary_key if name in countable and name not in own]
        return (*keys[:1], *(name for name in countable if name in referred - own - {*keys[:1]}))

    def first(self, name: str) -> Plan:
        """Return the plan of a resource's first rows."""
        if name not in self._plans:
            parent = self.system.resource(name).parent
            above = self.first(parent.resource).subjects if parent else None
            size = 0 if above == [] else self.size(name)
            self._plans[name] = self.plan(name, range(size), above, self.draws(name, "plan"))
        return self._plans[name]

    def plan(self, name: str, serials: range, above: Sequence[int] | None, draws: random.Random) -> Plan:
        """Return the plan of new rows.

        Args:
            name: Name of the resource.
            serials: Their numbers, counted from 0 over all days.
            above: Whom the rows of the parent are about, if there is one.
            draws: Stream to draw from.
        """
        # Earlier parents get more children.
        weights = [1 / (position + 1) for position in range(len(above or ()))]
        parents = draws.choices(range(len(weights)), weights, k=len(serials)) if above is not None else None
        source, parent = self._sources.get(name), self.system.resource(name).parent
        if source is None or not self.size(source):
            return Plan(self._own(name, serials, draws), parents)
        if parent and above and parents and source == parent.resource:
            return Plan([above[index] for index in parents], parents)
        subjects, everybody = self.first(source).subjects, self.candidates(name, source, None)
        if self._has_email(name):
            everybody = draws.sample(everybody, len(everybody))
            return Plan([subjects[everybody[serial % len(everybody)]] for serial in serials], parents)
        near = [self.candidates(name, source, parents[index] if parents else None) for index in range(len(serials))]
        return Plan([subjects[draws.choice(each)] for each in near], parents)

    def candidates(self, name: str, target: str, parent: int | None) -> Sequence[int]:
        """Return the first rows of a target that a row may refer to: those of the same parent where both have one."""
        everybody = range(self.size(target))
        if parent is None or not self._share_parent(name, target):
            return everybody
        return self._by("parent", target).get(parent) or everybody

    def related(
        self, name: str, reference: Reference, serial: int, subject: int, parent: int | None, draws: random.Random
    ) -> int | None:
        """Return the row of another resource that a row refers to, by its number, or ``None`` for none."""
        target, own = reference.resource, self.system.resource(name).parent
        if own and own.resource == target:
            return parent
        candidates = self.candidates(name, target, parent)
        if target == name:
            other = draws.choice(candidates) if candidates and draws.random() < _SELF_REFERENCES else None
            return None if other == serial else other
        if {name, target} <= self._personal:
            candidates = self._by("subject", target).get(subject, [])
            if self._share_parent(name, target):
                candidates = [row for row in candidates if (self.first(target).parents or ())[row] == parent]
        return draws.choice(candidates) if candidates else None

    def _share_parent(self, name: str, target: str) -> bool:
        own, other = self.system.resource(name).parent, self.system.resource(target).parent
        return bool(own and other and own.resource == other.resource)

    def _own(self, name: str, serials: range, draws: random.Random) -> list[int]:
        # Two systems share two people in three, as two departments do.
        pool = self.size(name) * 3 // 2 + 5
        if serials.start == 0 and len(serials) <= pool:
            return draws.sample(range(pool), len(serials))
        return [pool + serial for serial in serials]

    def _by(self, what: str, target: str) -> dict[int, list[int]]:
        """Return the first rows of a resource by ``subject`` or ``parent``."""
        if (what, target) not in self._groups:
            plan = self.first(target)
            found = self._groups[what, target] = defaultdict(list)
            for row, value in enumerate(plan.subjects if what == "subject" else plan.parents or ()):
                found[value].append(row)
        return self._groups[what, target]

    def _has_email(self, name: str) -> bool:
        """Return whether each row is a person of its own."""
        return any(column.pii == "email" for column in self.system.resource(name).columns.values())

    def _about_people(self) -> set[str]:
        """Return the resources that hold people or companies, and those that refer to them."""
        found = {one.name for one in self.system.resources if _speaks_of(ADA, one) or _has_identity(one)} - self.staff
        while more := {
            name
            for name, references in self.references.items()
            if name not in found | self.staff and any(one.resource in found for one in references)
        }:
            found |= more
        return found

    def _find_sources(self) -> dict[str, str]:
        """Return, by resource, the one whose people its rows are about; a circle is broken where it closes."""
        sources: dict[str, str] = {}
        for name, references in self.references.items():
            parent = self.system.resource(name).parent
            targets = [parent.resource] if parent else []
            targets += [one.resource for one in references if not one.path]
            for target in targets:
                if name in self._personal and target in self._personal and name not in _line(sources, target):
                    sources[name] = target
                    break
        return sources


def _line(sources: dict[str, str], name: str) -> list[str]:
    line = [name]
    while line[-1] in sources:
        line.append(sources[line[-1]])
    return line


def _speaks_of(who: Person | Colleague, resource: Resource) -> bool:
    return any(speaks_of(who, column.examples) for column in resource.columns.values())


def _has_identity(resource: Resource) -> bool:
    columns: list[Column] = list(resource.columns.values())
    return any(column.pii in _IDENTITY and not speaks_of(CORA, column.examples) for column in columns)
