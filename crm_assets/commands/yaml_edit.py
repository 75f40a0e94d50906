"""Additions to a connections file that leave every other line, comments included, as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from crm_assets.commands.discover_text import flow, mapping_lines
from crm_assets.errors import CommandError

Members = dict[str, Any]


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def with_members(text: str, connection: str, members: Members) -> str:
    """Return the text of a connections file with members added to one connection, nested ones merged.

    Args:
        text: The file's text.
        connection: The connection's name.
        members: What to add; what is there already stays.

    Raises:
        CommandError: The connection is unknown.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    entries = _value_node(root, "connections")
    for entry in entries.value if isinstance(entries, yaml.SequenceNode) else ():
        name = _value_node(entry, "name")
        if isinstance(name, yaml.ScalarNode) and name.value == connection:
            for edit in sorted(_edits(text, entry, members, entry=True), reverse=True):
                text = f"{text[: edit.start]}{edit.text}{text[edit.end :]}"
            return text
    raise CommandError(f"There is no connection {connection} in the connections file.")


def _edits(text: str, node: yaml.MappingNode, members: Members, *, entry: bool = False) -> Iterator[_Edit]:
    indent = node.start_mark.column
    if node.flow_style:
        start, end = node.start_mark.index, node.end_mark.index
        merged = _laid_under(yaml.safe_load(text[start:end]), members)
        yield _Edit(start, end, "\n".join(mapping_lines(merged, indent)).lstrip() if entry else flow(merged))
        return
    fresh = {}
    for name, value in members.items():
        present = _value_node(node, name)
        if present is None:
            fresh[name] = value
        elif isinstance(present, yaml.MappingNode) and isinstance(value, dict):
            yield from _edits(text, present, value)
    if fresh:
        end = _line_end(text, node)
        yield _Edit(end, end, "".join(f"\n{line}" for line in mapping_lines(fresh, indent)))


def _laid_under(present: Members, members: Members) -> Members:
    both = {name for name in members if isinstance(present.get(name), dict) and isinstance(members[name], dict)}
    return {**present, **{name: _laid_under(present[name], members[name]) for name in both}} | {
        name: value for name, value in members.items() if name not in present
    }


def _value_node(node: yaml.Node | None, name: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for key, value in pairs if key.value == name), None)


def _line_end(text: str, node: yaml.Node) -> int:
    """Return where the last line of a node ends; a block ends at its last leaf, not where the next token begins."""
    while isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    index = node.end_mark.index
    if text[index - 1 : index] == "\n":
        return index - 1
    found = text.find("\n", index)
    return len(text) if found < 0 else found
