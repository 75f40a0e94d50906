"""Paths into JSON: selectors of record lists and the wire names of columns."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

WILDCARD = "*"
_BRACKETED = re.compile(r"""\[\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|\*)\s*\]""", re.DOTALL)
_BARE = re.compile(r"[^.\[\]]+")
_NEEDS_QUOTES = re.compile(r"""^\s|\s$|[.\[\]]|^\$|^$""")


def parse_path(path: object) -> tuple[str, ...]:
    """Return the segments of a JSONPath subset, ``*`` being a wildcard over arrays and id-keyed objects.

    Accepts ``data.prospects``, ``$.Results.*``, ``[*].PipelineItems[*]``, ``$`` (the body itself), a list of keys
    (seed 004) and quoted segments such as ``["Company Name"]``. Keys with spaces need no quotes.

    Raises:
        ValueError: The text is no such path.
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
    found = _BRACKETED.match(text, position + dotted)
    if found:
        quoted = next((group for group in found.groups() if group is not None), None)
        return WILDCARD if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL), found.end()
    found = _BARE.match(text, position + dotted) if dotted or first else None
    if found:
        return found[0], found.end()
    raise ValueError(f"{text!r} is no path: unexpected {text[position]!r} at position {position + 1}")


def path_text(segments: tuple[str, ...]) -> str:
    """Return the segments in the dialect's notation (the inverse of :func:`parse_path`)."""
    return ".".join(_quoted(segment) if _NEEDS_QUOTES.search(segment) else segment for segment in segments) or "$"


def _quoted(segment: str) -> str:
    return '["' + re.sub(r'(["\\])', r"\\\1", segment) + '"]'


JsonPath = Annotated[
    tuple[str, ...], BeforeValidator(parse_path), PlainSerializer(path_text, return_type=str, when_used="always")
]


def dig(body: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a wildcard-free path of a decoded body, or ``None`` where it is absent."""
    for segment in path:
        if isinstance(body, dict):
            body = body.get(segment)
        elif isinstance(body, list) and re.fullmatch(r"-?\d+", segment) and -len(body) <= int(segment) < len(body):
            body = body[int(segment)]
        else:
            return None
    return body
