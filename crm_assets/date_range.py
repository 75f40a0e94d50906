"""Ranges of whole days, as windows and partitions are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class DateRange:
    """Whole days in the connection's time zone; ``end`` is the first day after."""

    start: date
    end: date

    def __str__(self) -> str:
        last = self.end - timedelta(days=1)
        return f"{self.start}" if last == self.start else f"{self.start} to {last}"

    @classmethod
    def parse(cls, text: str) -> DateRange:
        """Return the range whose text this is."""
        first, _, last = text.partition(" to ")
        return cls(date.fromisoformat(first), date.fromisoformat(last or first) + timedelta(days=1))

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days

    def split(self, grain: Literal["daily", "weekly", "monthly"]) -> Iterator[DateRange]:
        """Yield the partitions of a range that consists of whole ones."""
        start = self.start
        while start < self.end:
            months = (start.replace(day=1) + timedelta(days=31)).replace(day=1)
            end = {"daily": start + timedelta(days=1), "weekly": start + timedelta(days=7), "monthly": months}[grain]
            yield DateRange(start, end)
            start = end

    def halves(self) -> tuple[DateRange, DateRange]:
        """Return the two halves of a range of several days."""
        middle = self.start + timedelta(days=self.days // 2)
        return DateRange(self.start, middle), DateRange(middle, self.end)

    def widened(self, days: int) -> DateRange:
        """Return the range with some more days on either side."""
        padding = timedelta(days=days)
        return DateRange(self.start - padding, self.end + padding)

    def instants(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the range as moments: its first, and the first after it."""
        return datetime.combine(self.start, time(), zone), datetime.combine(self.end, time(), zone)


def without(ranges: Iterable[DateRange], others: Iterable[DateRange]) -> tuple[DateRange, ...]:
    """Return the days of the ranges, in order, that none of the others has."""
    rest = merge_ranges(list(ranges))
    for other in others:
        parts = (
            (DateRange(dates.start, min(dates.end, other.start)), DateRange(max(dates.start, other.end), dates.end))
            for dates in rest
        )
        rest = tuple(part for pair in parts for part in pair if part.days > 0)
    return rest


def merge_ranges(ranges: list[DateRange]) -> tuple[DateRange, ...]:
    """Return the ranges in order, with adjoining ones merged."""
    result: list[DateRange] = []
    for dates in sorted(ranges, key=lambda dates: dates.start):
        if result and result[-1].end >= dates.start:
            result[-1] = DateRange(result[-1].start, max(result[-1].end, dates.end))
        else:
            result.append(dates)
    return tuple(result)
