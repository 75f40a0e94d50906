"""Lines of a YAML file: where a key stands that an error is about. Looked up only when there is an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from crm_assets.declarations.errors import KeyValueError, SpecError, problems_of, together
from crm_assets.declarations.yaml_reader import read_nodes

_FILE = re.compile(r".+\.yaml(:\d+)?")
"""The place of an error that was located before."""


@dataclass(frozen=True)
class _Match:
    """How far a place could be followed in a file."""

    file: Path
    line: int
    depth: int
    """Number of names that were found."""
    in_defaults: bool = False


def with_lines(error: SpecError, files: Sequence[Path], *place: str) -> SpecError:
    """Return the error with its surroundings in front: file and line, then ``place``.

    Args:
        error: One or several problems.
        files: The file that was loaded, then those it extends; the first that has the key is named.
        place: What the file declares, such as ``system crm``.
    """
    nodes = {file: read_nodes(file) for file in files}
    return together(_located(problem, nodes, place) for problem in problems_of(error))


def _located(problem: SpecError, nodes: dict[Path, yaml.Node | None], place: tuple[str, ...]) -> SpecError:
    if problem.place and _FILE.fullmatch(problem.place[0]):
        return problem
    names = [name for part in (*place, *problem.place) for name in _place_names(part)]
    # A rule that a profile breaks was kept in what it extends; a bad value may be in any of the files.
    searched = list(nodes.items()) if isinstance(problem, KeyValueError) else list(nodes.items())[:1]
    matches = [match for file, root in searched if root for match in _matches(file, root, names)]
    best = max(matches, key=lambda match: match.depth, default=None)
    if best is None or not best.depth:
        return problem.inside(next(iter(nodes)).name, *place)
    if best.in_defaults and isinstance(problem, KeyValueError):
        keys = [part.removeprefix("key ") for part in problem.place if part.startswith("key ")]
        problem = type(problem)(problem.problem, f"key resource_defaults.{'.'.join(keys)}")
    return problem.inside(f"{best.file.name}:{best.line}", *place)


def _place_names(part: str) -> list[str]:
    kind, _, name = part.partition(" ")
    match kind:
        case "resource" | "connection":
            return [f"{kind}s", name]
        case "key":
            return name.split(".")
        case _:
            return []


def _matches(file: Path, root: yaml.Node, names: list[str]) -> Iterable[_Match]:
    line, depth = _follow(root, names)
    yield _Match(file, line, depth)
    if names[:1] == ["resources"] and len(names) > 2:
        line, depth = _follow(root, ["resource_defaults", *names[2:]])
        if depth > 1:
            yield _Match(file, line, depth + 1, in_defaults=True)


def _follow(node: yaml.Node, names: list[str]) -> tuple[int, int]:
    """Return the line of the innermost named thing that is there, and how many names led to it."""
    line, depth = node.start_mark.line + 1, 0
    while depth < len(names):
        step = _node_below(node, names[depth:])
        if step is None:
            break
        key, node, taken = step
        line, depth = key.start_mark.line + 1, depth + taken
    return line, depth


def _node_below(node: yaml.Node, names: list[str]) -> tuple[yaml.Node, yaml.Node, int] | None:
    if isinstance(node, yaml.SequenceNode):
        found = _list_member(node, names[0])
        return (found, found, 1) if found else None
    if not isinstance(node, yaml.MappingNode):
        return None
    entries = _entries(node)
    for taken in range(len(names), 0, -1):  # the name of a column or header may contain a dot
        for key, value in entries:
            if key.value == ".".join(names[:taken]):
                return key, value, taken
    return None


def _entries(node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
    """Return keys and values, those of merged mappings (``<<``) last."""
    own = [(key, value) for key, value in node.value if key.value != "<<"]
    merged = [value for key, value in node.value if key.value == "<<"]
    members = [one for value in merged for one in (value.value if isinstance(value, yaml.SequenceNode) else [value])]
    return own + [entry for member in members if isinstance(member, yaml.MappingNode) for entry in _entries(member)]


def _list_member(node: yaml.SequenceNode, name: str) -> yaml.Node | None:
    """Return the member of a list that has a name, or a number in words."""
    if name.startswith("number ") and name[7:].isdigit() and int(name[7:]) <= len(node.value):
        member: yaml.Node = node.value[int(name[7:]) - 1]
        return member
    for member in node.value:
        if isinstance(member, yaml.MappingNode) and any(k.value == "name" and v.value == name for k, v in member.value):
            return member
    return None
