"""The declared columns of a resource as the tree they form in a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from crm_assets.declarations.json_path import Segments, is_position
from crm_assets.declarations.models.columns import Column
from crm_assets.declarations.models.resource import Resource


@dataclass(frozen=True)
class WireNode:
    """A value of a record: read whole by columns, in parts by the nodes below it, or both."""

    columns: dict[str, Column] = field(default_factory=dict)
    """The columns that hold the value whole, by name."""
    parts: dict[str, WireNode] = field(default_factory=dict)
    """What is declared inside the value, by field name, or by position where the value is a list."""

    @property
    def positions(self) -> tuple[int, ...]:
        """The declared positions, if the value may be a list."""
        return tuple(int(name) for name in self.parts if is_position(name))

    def branches(self, above: Segments = ()) -> Iterator[tuple[Segments, WireNode]]:
        """Yield the values that are declared in parts only, with their paths, the deepest first."""
        for name, node in self.parts.items():
            if not node.columns:
                yield from node.branches((*above, name))
                yield (*above, name), node

    def walk(self) -> Iterator[WireNode]:
        """Yield the node and all nodes below it."""
        yield self
        for node in self.parts.values():
            yield from node.walk()


def wire_tree(resource: Resource) -> WireNode:
    """Return the tree of a resource's records; the order of the columns makes no difference to it."""
    root = WireNode()
    for name, column in resource.columns.items():
        if column.placeholder:
            continue
        node = root
        for segment in column.wire_path(name):
            node = node.parts.setdefault(segment, WireNode())
        node.columns[name] = column
    return root
