"""Columns that share a place on the wire: a JSON value holds the columns taken from inside it."""

from __future__ import annotations

import copy
from typing import Any
from zoneinfo import ZoneInfo

from crm_assets.declarations import Resource
from crm_assets.sandbox.wire import companion_key, containing, encoder, place


def agreed(resource: Resource, columns: dict[str, list[Any]], zone: ZoneInfo) -> dict[str, list[Any]]:
    """Make columns agree that overlap on the wire: a JSON value contains the columns taken from inside it."""
    inner = {name: outer for name in columns if (outer := containing(resource, name))}
    for name, outer in inner.items():
        if resource.columns[outer].wire_path(outer) == resource.columns[name].wire_path(name):
            columns[name] = columns[outer]
    _join_companions(resource, columns)
    outermost_last = sorted(set(inner.values()), key=lambda name: -len(resource.columns[name].wire_path(name)))
    for outer in outermost_last:
        parts = [
            name
            for name in inner
            if len(_path(resource, name)) > len(_path(resource, outer)) and _within(resource, name, outer)
        ]
        columns[outer] = [copy.deepcopy(value) for value in columns[outer]]
        for name in parts:
            encode, rest = (
                encoder(resource.columns[name], zone),
                _path(resource, name)[len(_path(resource, outer)) :],
            )
            for index, value in enumerate(columns[name]):
                wire = encode(value) if encode and value is not None else value
                columns[outer][index] = place(columns[outer][index], rest, wire)
    return columns


def _path(resource: Resource, name: str) -> tuple[str, ...]:
    return resource.columns[name].wire_path(name)


def _within(resource: Resource, name: str, outer: str) -> bool:
    above = _path(resource, outer)
    return _path(resource, name)[: len(above)] == above


def _join_companions(resource: Resource, columns: dict[str, list[Any]]) -> None:
    """Let the column on the join's path (or the nearest JSON column around it) hold the ids of the companions."""
    include = resource.endpoint.include
    paths = {name: _path(resource, name) for name in columns}
    holders = [name for name, path in paths.items() if include and include.on[: len(path)] == path]
    if not include or not holders:
        return
    fields = {name: path[1:] for name, path in paths.items() if path[0] == include.field}
    holder = max(holders, key=lambda name: len(paths[name]))
    rest = include.on[len(paths[holder]) :]
    for index, value in enumerate(columns[holder]):
        companion: dict[str, Any] = {}
        for name, path in fields.items():
            place(companion, path, columns[name][index])
        columns[holder][index] = place(copy.deepcopy(value), rest, companion_key(include.type, companion))
