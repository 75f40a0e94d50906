"""Types of columns, inferred from their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

_ISO_OFFSET = r"(?P<offset>\s?(?:Z|[+-]\d\d:?\d\d))?"
_ISO_MOMENT = re.compile(rf"\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?{_ISO_OFFSET}")
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME_NAME = re.compile(r".*(_at|_on|date|time|created|updated|modified|timestamp)")
_DAY_PATTERNS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S")
_EPOCHS = {"epoch_s": (5e8, 4e9), "epoch_ms": (5e11, 4e12)}
"""Bounds of moments between 1985 and 2096, in both units."""
_LARGEST_BIGINT = 2**63 - 1


def type_of(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """Return ``type`` and, for times, ``format`` of a column.

    Args:
        name: The column's name, which distinguishes times from other numbers.
        values: What it holds in the sample; not empty, none is ``None``.
    """
    kinds = {type(value) for value in values}
    if kinds & {dict, list}:
        return {"type": "json"}
    if kinds == {bool}:
        return {"type": "bool"}
    if kinds == {int}:
        return _whole_type(name, values)
    if kinds <= {int, float}:
        return {"type": "double"}
    return _text_type(values) if kinds == {str} else {"type": "text"}


def is_local(values: Sequence[Any]) -> bool:
    """Whether values are moments and some have no offset."""
    found = [_ISO_MOMENT.fullmatch(value) for value in values if isinstance(value, str)]
    return bool(found) and any(match is not None and not match["offset"] for match in found)


def _whole_type(name: str, values: Sequence[int]) -> dict[str, Any]:
    if max(map(abs, values)) > _LARGEST_BIGINT:
        return {"type": "text"}
    if _TIME_NAME.fullmatch(name):
        for unit, (least, most) in _EPOCHS.items():
            if all(least <= value <= most for value in values):
                return {"type": "timestamp", "format": unit}
    return {"type": "bigint"}


def _text_type(values: Sequence[str]) -> dict[str, Any]:
    filled = [value for value in values if value.strip()]
    if filled and all(map(_ISO_MOMENT.fullmatch, filled)):
        return {"type": "timestamp"}
    if filled and all(map(_ISO_DATE.fullmatch, filled)):
        return {"type": "date"}
    patterns = [day + clock for day in _DAY_PATTERNS for clock in _CLOCKS if filled and _all_read(filled, day + clock)]
    if len(patterns) == 1:  # where day and month are ambiguous it stays text
        return {"type": "timestamp" if "%H" in patterns[0] else "date", "format": patterns[0]}
    return {"type": "text"}


def _all_read(values: Sequence[str], pattern: str) -> bool:
    try:
        return all(datetime.strptime(value, pattern) for value in values)  # noqa: DTZ007
    except ValueError:
        return False
