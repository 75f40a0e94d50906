"""How long a server asks to wait: ``Retry-After`` and similar headers, in any unit.

A number may be a duration or a moment since the epoch, in seconds, milli-, micro- or nanoseconds, often unstated.
A number that is a moment within a year of now in one of the units is that moment. Any other is a duration in seconds,
unless that is longer than a month: then it is in the largest smaller unit in which it is no longer than a day.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import msgspec

from crm_assets.declarations.json_path import dig
from crm_assets.declarations.models.endpoint import WaitFrom

_SECONDS_PER_UNIT = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_SECONDS_PER_DAY = 86_400.0
_MONTH, _YEAR = 31 * _SECONDS_PER_DAY, 366 * _SECONDS_PER_DAY
_PREFIXES = ("X-RateLimit", "X-Rate-Limit", "RateLimit")
_ZULU = re.compile(r"[Zz]$")


def seconds_to_wait(text: str, now: float) -> float | None:
    """Return the seconds a server's text asks to wait, none of them negative and no more than a year.

    Args:
        text: A number, an HTTP date, or a date and time in ISO 8601 with an offset.
        now: Seconds since the epoch.

    Returns:
        ``None`` for text that says nothing of the kind.
    """
    number = _finite_number(text)
    seconds = _of_number(number, now) if number is not None else _of_date(text, now)
    return None if seconds is None else min(max(seconds, 0.0), _YEAR)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds a ``Retry-After`` header asks for, or ``None``."""
    return seconds_to_wait(headers.get("Retry-After", ""), now)


def requested_wait(wait_from: WaitFrom | None, headers: Mapping[str, str], body: bytes, now: float) -> float | None:
    """Return the seconds an error answer asks to wait where it is declared to say so, else its ``Retry-After``."""
    if wait_from is None:
        return retry_after(headers, now)
    text = headers.get(wait_from.header, "") if wait_from.header else _in_body(wait_from.path or (), body)
    number = _finite_number(text)
    if wait_from.unit and number is not None:
        text = repr(number / _SECONDS_PER_UNIT[wait_from.unit])
    wait = seconds_to_wait(text, now)
    return retry_after(headers, now) if wait is None else wait


def exhausted_for(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds until a quota that an answer reports as used up is filled again, or ``None``."""
    for prefix in _PREFIXES:
        remaining = _finite_number(headers.get(f"{prefix}-Remaining", ""))
        if remaining is not None and remaining <= 0:
            return seconds_to_wait(headers.get(f"{prefix}-Reset", ""), now)
    return None


def _of_number(number: float, now: float) -> float:
    for unit in _SECONDS_PER_UNIT.values():
        if abs(number / unit - now) < _YEAR:
            return number / unit - now
    if number <= _MONTH:
        return number
    return next((number / unit for unit in _SECONDS_PER_UNIT.values() if number / unit <= _SECONDS_PER_DAY), _YEAR)


def _of_date(text: str, now: float) -> float | None:
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        with suppress(TypeError, ValueError, OverflowError):
            moment = parse(_ZULU.sub("+00:00", text.strip()))
            if moment.tzinfo or parse is parsedate_to_datetime:
                return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp() - now
    return None


def _in_body(path: tuple[str, ...], body: bytes) -> str:
    try:
        value = dig(msgspec.json.decode(body), path)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return "" if isinstance(value, bool) or value is None else str(value)


def _finite_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
