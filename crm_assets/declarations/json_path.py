"""Paths into JSON: selectors of record lists and the wire names of columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

WILDCARD = "*"
Segments = tuple[str, ...]
"""A path, parsed."""
_QUOTED_TEXT = r"""(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')"""
_BRACKETED = re.compile(rf"\[\s*(?:{_QUOTED_TEXT}|(\*|-?\d+))\s*\]", re.DOTALL)
_QUOTED = re.compile(rf"{_QUOTED_TEXT}()(?=[.\[]|$)", re.DOTALL)
_BARE = re.compile(r"[^.\[\]]+")
_NEEDS_QUOTES = re.compile(r"""^\s|\s$|[.\[\]]|^\$|^$|^["']""")
_POSITION = re.compile(r"-?[0-9]{1,9}")


def parse_path(path: object) -> Segments:
    """Return the segments of a JSONPath subset, ``*`` being a wildcard over arrays and id-keyed objects.

    Accepts ``data.prospects``, ``$.Results.*``, ``[*].PipelineItems[*]``, ``$`` (the body itself), a list of keys
    (seed 004), positions in lists (``mail.0.text``, ``mail[-1]``) and quoted segments (``custom."T-Shirt size"``,
    ``custom['Kundennr.']``). Keys with spaces need no quotes.

    Raises:
        ValueError: The text is not a valid path.
    """
    if isinstance(path, (list, tuple)) and all(isinstance(segment, str) for segment in path):
        return tuple(path)
    if not isinstance(path, str):
        raise ValueError(f"expected a path such as 'data.items', got {path!r}")
    rest = path.strip()
    position = 1 if re.match(r"\$(?=[.\[]|$)", rest) else 0
    segments: list[str] = []
    while position < len(rest):
        segment, position = _segment(rest, position, first=not segments and position == 0)
        segments.append(segment)
    return tuple(segments)


def _segment(text: str, position: int, *, first: bool) -> tuple[str, int]:
    """Return the segment that starts at a position, and the position behind it."""
    dotted = text[position] == "."
    start = position + dotted
    match = _BRACKETED.match(text, start) or (_QUOTED.match(text, start) if dotted or first else None)
    if match:
        quoted = match[1] if match[1] is not None else match[2]
        return match[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL), match.end()
    match = _BARE.match(text, start) if dotted or first else None
    if match:
        return match[0], match.end()
    raise ValueError(f"{text!r} is not a valid path: unexpected {text[position]!r} at position {position + 1}")


def is_position(segment: str) -> bool:
    """Return whether a segment may be a position in a list; negative ones count from its end."""
    return _POSITION.fullmatch(segment) is not None


def path_text(segments: Segments) -> str:
    """Return the segments in the dialect's notation (the inverse of :func:`parse_path`)."""
    return ".".join(_quoted(segment) if _NEEDS_QUOTES.search(segment) else segment for segment in segments) or "$"


def _quoted(segment: str) -> str:
    return '["' + re.sub(r'(["\\])', r"\\\1", segment) + '"]'


JsonPath = Annotated[
    Segments, BeforeValidator(parse_path), PlainSerializer(path_text, return_type=str, when_used="always")
]


def dig(body: Any, path: Segments) -> Any:
    """Return the value at a wildcard-free path of a decoded body, or ``None`` where it is absent."""
    for segment in path:
        if isinstance(body, dict):
            body = body.get(segment)
        elif isinstance(body, list) and is_position(segment) and -len(body) <= int(segment) < len(body):
            body = body[int(segment)]
        else:
            return None
    return body


def place(body: Any, path: Sequence[str], value: Any) -> Any:
    """Put a value at a path of a body, making objects, and arrays for positions, on the way; return the body."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if head.isdigit():
        body = body if isinstance(body, list) else []
        body.extend({} for _ in range(int(head) + 1 - len(body)))
        body[int(head)] = place(body[int(head)], rest, value)
    else:
        body = body if isinstance(body, dict) else {}
        body[head] = place(body.get(head), rest, value) if rest else value
    return body
