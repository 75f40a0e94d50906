"""Numbers on their way through DuckDB's JSON functions, which would write them anew from doubles.

A number those functions would change travels as a text with a marker, and becomes what it was when the rows are made.
One that no double holds (more than 17 digits, mostly) stays a text in JSON: every reader of JSON may round the number,
the destination's own functions among them.
"""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation

import msgspec

from crm_assets.extract.decode.destination_limits import DestinationLimits

MARK = secrets.token_hex(8)
"""Begins each marked text. No server knows it, so no server's text begins with it."""
NUMBER, TEXT = f"{MARK}#", f"{MARK}$"
"""Markers of numbers that become numbers again, and of those that stay texts. Both have one length."""
NUL = f"{MARK}0"
"""Takes the place of a NUL character, where the destination has none."""

_ALIKE = rb"-?\d{1,9}\.(?:0|\d{0,5}[1-9])"
"""Numbers that a double holds, written in the one way in which doubles are written: most, so they are skipped."""
_NUMBER = rb"(-0|-?\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+))(?=[\s,\]}])"
_AT_RISK = [re.compile(before + rb"\s*(?!" + _ALIKE + rb"[\s,\]}])" + _NUMBER) for before in (rb":", rb",", rb"\[")]
"""One pattern for each character before a value: a pattern that begins with a letter is found three times as fast."""
_CLASSES = bytes.maketrans(b"123456789E \t\r\n]}", b"000000000e,,,,,,")
_SHAPES = {b".": b"0.", b"e": b"0e", b"-": b"-0,"}
"""One of these is in each number at risk once its characters are replaced by the first of their class.

Each behind the character of it that is found much faster.
"""
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_NUL_ESCAPE = re.compile(rb"\\(?:(u0000)|.)", re.DOTALL)


def has_changing_numbers(values: Iterable[bytes | msgspec.Raw], limits: DestinationLimits) -> bool:
    """Return whether JSON values contain a number that must be marked."""
    text = b",".join([b"", *values, b""])
    classes = text.translate(_CLASSES)
    at_risk = any(sign in classes and shape in classes for sign, shape in _SHAPES.items())
    return at_risk and next(_changing(text, limits), None) is not None


def marked(text: bytes, limits: DestinationLimits) -> bytes:
    """Return JSON text with marked texts for what DuckDB would change or the destination does not have."""
    pieces, end = [], 0
    for start, stop, marker in _changing(text, limits):
        pieces += [text[end:start], b'"', marker.encode(), text[start:stop], b'"']
        end = stop
    result = b"".join([*pieces, text[end:]]) if pieces else text
    if limits.nul or b"\\u0000" not in result:
        return result
    return _NUL_ESCAPE.sub(lambda found: NUL.encode() if found[1] else found[0], result)


def _changing(text: bytes, limits: DestinationLimits) -> Iterator[tuple[int, int, str]]:
    """Yield where the numbers are that DuckDB would change, with their markers."""
    inside, seen = False, 0
    spans = sorted(found.span(1) for pattern in _AT_RISK for found in pattern.finditer(text))
    for start, stop in spans:
        marker = _marker(text[start:stop].decode(), limits)
        if marker:
            inside ^= _quotes(text[seen:start]) % 2 == 1
            seen = start
            if not inside:
                yield start, stop, marker


def _quotes(text: bytes) -> int:
    """Count the quotes that open or close a text."""
    return (_ESCAPED.sub(b"", text) if b"\\" in text else text).count(b'"')


def _marker(number: str, limits: DestinationLimits) -> str | None:
    value = float(number)
    if math.isinf(value):  # DuckDB keeps what is beyond doubles as it came
        return TEXT if limits.json_digits and _exponent(number) > limits.json_digits else None
    if repr(value) == number and "e" not in number:  # Python writes doubles as DuckDB does, but for exponents
        return None
    try:
        return NUMBER if Decimal(repr(value)) == Decimal(number) else TEXT
    except InvalidOperation:  # an exponent beyond Decimal's
        return TEXT


def _exponent(number: str) -> int:
    digits, _, exponent = number.lower().partition("e")
    return len(digits.partition(".")[0]) + int(exponent or 0)
