"""The shapes of JSON: values put at paths, lists where selectors find them, companions beside the records."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from crm_assets.declarations.json_path import WILDCARD, dig
from crm_assets.declarations.models.endpoint import Endpoint, Include

Record = dict[str, Any]
_GROUP = 3
"""Records of a group, where a selector walks through groups."""


def place(container: Any, path: Sequence[str], value: Any) -> Any:
    """Put a value at a path, making objects (and arrays for numbered segments) on the way; return the container."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if head.isdigit():
        container = container if isinstance(container, list) else []
        container.extend({} for _ in range(int(head) + 1 - len(container)))
        container[int(head)] = place(container[int(head)], rest, value)
        return container
    container = container if isinstance(container, dict) else {}
    container[head] = place(container.get(head), rest, value)
    return container


def list_path(endpoint: Endpoint) -> tuple[str, ...]:
    """Return the path of an endpoint's list; ``data`` if none is declared."""
    return ("data",) if endpoint.data_selector is None else endpoint.data_selector


def listed_at(selector: Sequence[str], records: list[Any]) -> Any:
    """Return the smallest body in which the selector finds the records."""
    if not selector:
        return records
    head, rest = selector[0], selector[1:]
    if head != WILDCARD:
        return {head: listed_at(rest, records)}
    if not rest:
        return records
    return [listed_at(rest, records[index : index + _GROUP]) for index in range(0, len(records), _GROUP)]


def enveloped(body: Any, values: Mapping[tuple[str, ...], Any]) -> Any:
    """Return the body with the envelope's values at their paths; a bare array has no room for any."""
    if isinstance(body, dict):
        for path, value in values.items():
            place(body, path, value)
    return body


def join_companion(include: Include, record: Record) -> None:
    """Let a record refer to its JSON:API companion, by an id made of its content; an empty one has none."""
    companion = record.get(include.field) or {}
    key = None
    if any(value is not None for value in companion.values()):
        text = json.dumps(companion, sort_keys=True)
        key = f"{include.type or 'companion'}-{zlib.crc32(text.encode()):08x}"
    place(record, include.on, key)


def split_companions(include: Include, records: list[Record]) -> list[Record]:
    """Take the companions out of the records and return them, each once, the way JSON:API includes them."""
    companions: dict[str, Record] = {}
    for record in records:
        companion, key = record.pop(include.field, None) or {}, dig(record, include.on)
        if key is not None:
            companions[key] = {"id": key, **({"type": include.type} if include.type else {}), **companion}
    return list(companions.values())
