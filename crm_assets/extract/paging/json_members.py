"""Members of a JSON body that stay bytes: which there are, what kind they are, and small ones decoded."""

from __future__ import annotations

from typing import Any

import msgspec

OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
ANY = msgspec.json.Decoder()
SYNTAX = msgspec.json.Decoder(msgspec.Raw)
SMALL = 4_096
"""Bytes of a member of the body that is looked at for signs of paging; record lists are mostly longer."""


def opens_with(raw: msgspec.Raw | bytes, opening: bytes) -> bool:
    """Return whether JSON begins with a character, apart from white space."""
    return bytes(raw[:64] if isinstance(raw, bytes) else memoryview(raw)[:64]).lstrip()[:1] == opening


def member_at(raw: msgspec.Raw, segment: str) -> msgspec.Raw | None:
    """Return the member of an object or the item of a list that a segment of a path names, or ``None``."""
    if opens_with(raw, b"{"):
        return OBJECT.decode(raw).get(segment)
    if opens_with(raw, b"[") and segment.lstrip("-").isdigit():
        items = ARRAY.decode(raw)
        index = int(segment)
        return items[index] if -len(items) <= index < len(items) else None
    return None


def small_value(raw: msgspec.Raw) -> Any:
    """Return a small value decoded, or ``None`` where it is large or beyond Python's numbers."""
    try:
        return ANY.decode(raw) if len(memoryview(raw)) <= SMALL else None
    except (msgspec.DecodeError, RecursionError):
        return None


def kind_of(raw: msgspec.Raw) -> str:
    """Return what a value is, in words for an error message."""
    return {b"{": "an object", b"[": "a list", b'"': "a text", b"n": "null"}.get(
        bytes(memoryview(raw)[:64]).lstrip()[:1], "a single value"
    )
