"""Paths into JSON in DuckDB's notation."""

from __future__ import annotations

from itertools import product

from crm_assets.declarations.json_path import Segments, is_position


def json_path(path: Segments, *, listed: tuple[bool, ...] = ()) -> str:
    """Return a path in DuckDB's notation; ``listed`` says for each segment whether it is a position in a list."""
    text = "$"
    for segment, position in zip(path, listed or (False,) * len(path), strict=True):
        escaped = segment.replace("\\", "\\\\").replace('"', '\\"')
        text += f"[{'#' if segment.startswith('-') else ''}{int(segment)}]" if position else f'."{escaped}"'
    return text


def json_paths(path: Segments) -> list[str]:
    """Return the places of a value: a number in a path may be a position in a list, or the key of an object."""
    kinds = product(*((True, False) if is_position(segment) else (False,) for segment in path))
    return [json_path(path, listed=listed) for listed in kinds]
