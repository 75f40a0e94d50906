"""Paths into JSON: selectors of record lists and the wire names of columns."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

WILDCARD = "*"
_SEGMENT = re.compile(r"""\[\s*(?:"([^"]*)"|'([^']*)'|(\*))\s*\]|([^.\[\]]+)""")


def parse_path(path: object) -> tuple[str, ...]:
    """Return the segments of a JSONPath subset, ``*`` being a wildcard over arrays and id-keyed objects.

    Accepts ``data.prospects``, ``$.Results.*``, ``[*].PipelineItems[*]``, ``$`` (the body itself), a list of keys
    (seed 004) and quoted segments such as ``["Company Name"]``. Keys with spaces need no quotes.

    Raises:
        ValueError: The text is no such path.
    """
    if isinstance(path, (list, tuple)):
        return tuple(str(segment) for segment in path)
    if not isinstance(path, str):
        raise ValueError(f"expected a path such as 'data.items', got {path!r}")
    rest = path.strip()
    rest = rest[1:] if rest.startswith("$") else rest
    segments: list[str] = []
    position = 0
    while position < len(rest):
        if rest[position] == ".":
            position += 1
            continue
        found = _SEGMENT.match(rest, position)
        if not found:
            raise ValueError(f"{path!r} is no path: unexpected {rest[position]!r} at position {position + 1}")
        segments.append(next(group for group in found.groups() if group is not None))
        position = found.end()
    return tuple(segments)


def path_text(segments: tuple[str, ...]) -> str:
    """Return the segments in the dialect's notation (the inverse of :func:`parse_path`)."""
    parts = [f'["{s}"]' if re.search(r"[.\[\]\"']", s) else s for s in segments]
    return ".".join(parts) or "$"


JsonPath = Annotated[
    tuple[str, ...], BeforeValidator(parse_path), PlainSerializer(path_text, return_type=str, when_used="always")
]


def dig(body: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a wildcard-free path of a decoded body, or ``None`` where it is absent."""
    for segment in path:
        if isinstance(body, dict):
            body = body.get(segment)
        elif isinstance(body, list) and segment.lstrip("-").isdigit() and -len(body) <= int(segment) < len(body):
            body = body[int(segment)]
        else:
            return None
    return body
