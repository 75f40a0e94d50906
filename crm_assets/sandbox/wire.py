"""Rows to wire: the inverse of decoding."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.declarations.json_path import WILDCARD, dig
from crm_assets.declarations.models.endpoint import Include

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_UNITS = {"epoch_s": timedelta(seconds=1), "epoch_ms": timedelta(milliseconds=1)}
_GROUP = 3

Encoder = Callable[[Any], Any]


def encoder(column: Column, zone: ZoneInfo) -> Encoder | None:
    """Return the function that turns a column's value into JSON, or ``None`` when it is JSON already."""
    if column.type is ColumnType.DECIMAL:
        return str
    if column.type not in (ColumnType.TIMESTAMP, ColumnType.DATE):
        return None
    if column.format in _UNITS:
        unit = _UNITS[column.format]
        return lambda value: (_utc(value) - _EPOCH) // unit
    if column.type is ColumnType.DATE:
        return date.isoformat
    return lambda value: _iso(value.astimezone(zone))


def _utc(value: date) -> datetime:
    if isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day, tzinfo=timezone.utc)


def _iso(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


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


class Recorder:
    """Turns rows of one resource into the records its API would send.

    Args:
        resource: The resource.
        zone: Time zone of the timestamps sent.
    """

    def __init__(self, resource: Resource, zone: ZoneInfo) -> None:
        self._unwrap = resource.endpoint.unwrap
        self._fields = [
            (name, column.wire_path(name), encoder(column, zone))
            for name, column in resource.columns.items()
            if not column.placeholder and not inside_json(resource, name)
        ]

    def record(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record of a row, not wrapped."""
        record: dict[str, Any] = {}
        for name, path, encode in self._fields:
            value = row[name]
            value = encode(value) if encode and value is not None else value
            if len(path) == 1:
                record[path[0]] = value
            else:
                place(record, path, value)
        return record

    def wrapped(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the record inside the key its API wraps it in, if it does."""
        return {self._unwrap: record} if self._unwrap else record


def inside_json(resource: Resource, name: str) -> bool:
    """Tell whether a column's wire value is a part of another column's JSON value, or the same value."""
    return containing(resource, name) is not None


def containing(resource: Resource, name: str) -> str | None:
    """Return the column whose wire value contains (or, declared earlier, is) that of ``name``, if another one does."""
    path, earlier = resource.columns[name].wire_path(name), True
    for other, column in resource.columns.items():
        earlier = earlier and other != name
        above = column.wire_path(other)
        if other == name or column.placeholder or path[: len(above)] != above:
            continue
        if earlier if above == path else column.type is ColumnType.JSON:
            return other
    return None


def listed_at(selector: Sequence[str], records: Any) -> Any:
    """Return the smallest body in which the selector finds the records: a list, or an object keyed by id."""
    if not selector:
        return records
    head, rest = selector[0], selector[1:]
    if head != WILDCARD:
        return {head: listed_at(rest, records)}
    if not rest:
        return records
    if isinstance(records, dict):
        return [listed_at(rest, records)]
    return [listed_at(rest, records[index : index + _GROUP]) for index in range(0, len(records), _GROUP)]


def enveloped(body: Any, values: Mapping[tuple[str, ...], Any]) -> Any:
    """Return the body with the envelope's values at their paths; a bare array has no room for any."""
    if isinstance(body, dict):
        for path, value in values.items():
            place(body, path, value)
    return body


def companion_key(kind: str | None, companion: Mapping[str, Any]) -> str | None:
    """Return the id of a JSON:API companion, made of its content; an empty one has none."""
    if all(value is None for value in companion.values()):
        return None
    text = json.dumps(companion, sort_keys=True, default=str)
    return f"{kind or 'companion'}-{zlib.crc32(text.encode()):08x}"


def split_companions(include: Include, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take the companions out of the records and return them, each once, the way JSON:API includes them."""
    companions: dict[str, dict[str, Any]] = {}
    for record in records:
        companion = record.pop(include.field, None) or {}
        key = dig(record, include.on)
        if key is None and (key := companion_key(include.type, companion)):
            place(record, include.on, key)
        if key is not None:
            companions[key] = {"id": key, **({"type": include.type} if include.type else {}), **companion}
    return list(companions.values())
