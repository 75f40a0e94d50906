"""Random draws that are the same in every run and every process."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


def stream(*parts: object) -> random.Random:
    """Return the random stream that belongs to these parts (seed, connection, resource, …) and to no others."""
    return random.Random("/".join(str(part) for part in parts))  # noqa: S311 - test data, not cryptography


class DateRange(NamedTuple):
    """A span of time, both bounds aware and the end exclusive."""

    start: datetime
    end: datetime

    @property
    def milliseconds(self) -> int:
        """Length of the span, at least one millisecond."""
        return max((self.end - self.start) // _MILLISECOND, 1)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a day in a time zone."""
    return datetime.combine(day, time(), zone).astimezone(timezone.utc)


def spread(count: int, span: DateRange, draws: random.Random, step: int = 1) -> list[datetime]:
    """Return ascending moments spread evenly over the span.

    Args:
        count: How many.
        span: Where they lie.
        draws: Stream to draw from.
        step: Resolution in milliseconds.
    """
    width = span.milliseconds / max(count, 1)
    return [moment(span, int((index + draws.random()) * width), step) for index in range(count)]


def moment(span: DateRange, offset: int, step: int = 1) -> datetime:
    """Return the moment ``offset`` milliseconds into the span (its last one at most), cut to ``step`` milliseconds."""
    start = (span.start - _EPOCH) // _MILLISECOND
    position = start + min(max(offset, 0), span.milliseconds - 1)
    return _EPOCH + timedelta(milliseconds=max(position - position % step, start))
