"""Columns of records that were seen: nested leaves by their paths, with types and classes of personal data."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from crm_assets.declarations.json_path import WILDCARD, Segments, path_text
from crm_assets.declarations.models.base import PLACEHOLDER
from crm_assets.declarations.names import check_column_names
from crm_assets.extract.discovery.personal import personal_class
from crm_assets.extract.discovery.types import is_local, type_of

_COLUMN_DEPTH, _WIDEST = 3, 40
"""Objects looked into, and fields of one up to which its fields are columns."""
_ID = re.compile(r"[\d-]+|[0-9a-fA-F-]{32,36}")
"""A key of an object that is a list by id, not a record."""
_NAME_LENGTH = 60


@dataclass(frozen=True)
class SampleColumn:
    """One column of a sample."""

    name: str
    path: Segments
    values: tuple[Any, ...]
    """What it holds, one per record; ``None`` where there is nothing."""
    declared: dict[str, Any]
    """Its declaration."""

    @property
    def always(self) -> bool:
        """Whether every record has a value."""
        return all(value is not None for value in self.values)

    @property
    def local(self) -> bool:
        """Whether it holds times without an offset."""
        kind = self.declared
        return kind["type"] == "timestamp" and "format" not in kind and is_local([v for v in self.values if v])


def columns_of(
    records: Sequence[dict[str, Any]], known: Collection[Segments] = (), taken: Collection[str] = ()
) -> tuple[list[SampleColumn], list[str]]:
    """Return the columns of records, and the fields that never have a value, so that nothing is known of them.

    Args:
        records: The sample.
        known: Paths that are columns already.
        taken: Names that are taken.
    """
    seen, empty, names = list[SampleColumn](), list[str](), set(taken)
    for path, values in _leaves((), list(records)):
        if any(path[: len(known_path)] == known_path for known_path in known) or not can_be_named(path):
            continue
        held = [value for value in values if value is not None]
        if not held:
            empty.append(path_text(path))
            continue
        name = free_column_name(path, names)
        names.add(name)
        seen.append(SampleColumn(name, path, tuple(values), _column_declaration(name, path, held)))
    return seen, empty


def can_be_named(path: Segments) -> bool:
    """Whether a declaration can name a path: ``*`` and ``{…}`` mean something else there, and a name has characters."""
    return all(path) and WILDCARD not in path and not PLACEHOLDER.search(path_text(path))


def _column_declaration(name: str, path: Segments, held: list[Any]) -> dict[str, Any]:
    kind = type_of(name, held)
    personal = personal_class(name, kind["type"], held)
    source = {} if path == (name,) else {"source": path_text(path)}
    return {**kind, **({"pii": personal} if personal else {}), **source}


def _leaves(above: Segments, objects: list[Any]) -> list[tuple[Segments, list[Any]]]:
    leaves: list[tuple[Segments, list[Any]]] = []
    for key in dict.fromkeys(key for entry in objects if isinstance(entry, dict) for key in entry):
        values = [parent.get(key) if isinstance(parent, dict) else None for parent in objects]
        path = (*above, key)
        leaves += _leaves(path, values) if _opens(values, len(path)) else [(path, values)]
    return leaves


def _opens(values: list[Any], depth: int) -> bool:
    """Whether the fields of objects are columns of their own."""
    held = [value for value in values if value is not None]
    keys = {key for value in held if isinstance(value, dict) for key in value}
    records = bool(keys) and all(isinstance(value, dict) for value in held)
    return records and depth <= _COLUMN_DEPTH and len(keys) <= _WIDEST and not any(map(_ID.fullmatch, keys))


def free_column_name(path: Segments, taken: Collection[str]) -> str:
    """Return a name for a path that every destination keeps as it is, and that is not taken."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", "_".join(path))
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:_NAME_LENGTH].strip("_")
    try:
        check_column_names({name: None})
    except ValueError:
        name = f"field_{name}".strip("_")
    return next(candidate for candidate in (name, *(f"{name}_{n}" for n in range(2, 10_000))) if candidate not in taken)
