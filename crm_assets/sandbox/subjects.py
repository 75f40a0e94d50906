"""Whom rows are about and whose children they are, before a single row is made: references agree because of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from crm_assets.declarations import Connection
from crm_assets.sandbox.draw import stream
from crm_assets.sandbox.roles import Roles, roles
from crm_assets.sandbox.values import counted
from crm_assets.sandbox.world import PEOPLE_PER_COMPANY

_FAMILY = 3
"""Rows of a resource that others are read per row of: each row costs a list of requests."""


class Subjects:
    """The keys, people and parents of the first rows of one connection's resources.

    Args:
        connection: The connection.
        rows: Typical number of rows of a resource.
        seed: Seed of all draws.
    """

    def __init__(self, connection: Connection, rows: int, seed: int) -> None:
        self.system = connection.system
        self._rows = rows
        self._origin = (seed, connection.name)
        self._cache: dict[tuple[str, str], Any] = {}

    def draws(self, *parts: object) -> random.Random:
        """Return the connection's random stream of that name."""
        return stream(*self._origin, *parts)

    @cached_property
    def families(self) -> frozenset[str]:
        """Names of the resources that others are read per row of."""
        return frozenset(resource.parent.resource for resource in self.system.resources if resource.parent)

    def roles(self, name: str) -> Roles:
        """Return what the columns of a resource stand for."""
        found: Roles = self._cached("roles", name, lambda: roles(self.system, self.system.resource(name)))
        return found

    def size(self, name: str) -> int:
        """Return how many rows (of an aggregate: how many subjects) a resource begins with."""
        resource = self.system.resource(name)
        if name in self.families:
            return min(_FAMILY, self._rows)
        share = 0.25 if resource.endpoint.paginator.type == "single_page" else 1.0
        share *= 0.5 if resource.window and resource.window.per_partition else 1.0
        return round(self._rows * share * (0.75 + self.draws(name, "size").random() / 2))

    def keys(self, name: str) -> list[Any]:
        """Return the keys of a resource's first rows."""
        key = self.roles(name).key
        columns = self.system.resource(name).columns
        found: list[Any] = self._cached(
            "keys", name, lambda: counted(columns[key], range(self.size(name))) if key else [None] * self.size(name)
        )
        return found

    def people(self, name: str) -> list[int]:
        """Return the number of the person each of a resource's first rows is about."""
        found: list[int] = self._cached(
            "people",
            name,
            lambda: self.people_of(name, range(self.size(name)), self.dealt(name), self.draws(name, "people")),
        )
        return found

    def dealt(self, name: str) -> list[int] | None:
        """Return which of its parent's first rows each of a resource's first rows belongs to."""
        parent = self.system.resource(name).parent
        if parent is None:
            return None
        found: list[int] = self._cached(
            "dealt", name, lambda: deal(self.size(name), self.size(parent.resource), self.draws(name, "dealt"))
        )
        return found

    def people_of(
        self, name: str, serials: Sequence[int], parents: Sequence[int] | None, draws: random.Random
    ) -> list[int]:
        """Return the numbers of the persons that rows with these serial numbers and parents are about."""
        kind, size = self.roles(name).kind, self.size(name)
        if kind:
            step = 1 if kind == "person" else PEOPLE_PER_COMPANY
            known = draws.sample(range(size * 3 // 2 + 5), size) if serials[:1] == range(1) else []
            return [step * (known[serial] if serial < len(known) else size * 3 // 2 + 5 + serial) for serial in serials]
        anchor = self.anchor(name)
        if anchor is None or not self.size(anchor):
            return draws.choices(range(max(size, 1)), k=len(serials))
        about = self.people(anchor)
        return [about[index] for index in self.choose(name, anchor, len(serials), parents, draws)]

    def anchor(self, name: str) -> str | None:
        """Return the first person or company resource that the rows of a resource refer to or hang on."""
        resource = self.system.resource(name)
        targets = [*self.roles(name).references.values(), *([resource.parent.resource] if resource.parent else [])]
        return next((target for target in targets if target != name and self.roles(target).kind), None)

    def choose(
        self, name: str, target: str, count: int, parents: Sequence[int] | None, draws: random.Random
    ) -> list[int]:
        """Return row numbers of the target for rows of ``name``: of the same parent where both have one."""
        own, other = self.system.resource(name).parent, self.system.resource(target).parent
        size = range(self.size(target))
        if own and parents is not None and own.resource == target:
            return [index if index in size else draws.choice(size) for index in parents]
        if not (own and other and parents is not None and own.resource == other.resource):
            return draws.choices(size, k=count)
        pools: dict[int, list[int]] = {}
        for index, parent in enumerate(self.dealt(target) or ()):
            pools.setdefault(parent, []).append(index)
        return [draws.choice(pools.get(parent) or size) for parent in parents]

    def key_by_subject(self, target: str) -> dict[int, Any]:
        """Return the keys of a person or company resource by the number of the person or company."""
        step = 1 if self.roles(target).kind == "person" else PEOPLE_PER_COMPANY
        found: dict[int, Any] = self._cached(
            "by_subject",
            target,
            lambda: {about // step: key for about, key in zip(self.people(target), self.keys(target), strict=True)},
        )
        return found

    def _cached(self, kind: str, name: str, make: Any) -> Any:
        if (kind, name) not in self._cache:
            self._cache[kind, name] = make()
        return self._cache[kind, name]


def deal(count: int, parents: int, draws: random.Random) -> list[int]:
    """Return a parent's row number for each of ``count`` children; earlier parents get more of them."""
    if not parents:
        return []
    weights = [1 / (position + 1) for position in range(parents)]
    return draws.choices(range(parents), weights, k=count)
