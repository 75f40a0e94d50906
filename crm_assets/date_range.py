"""Ranges of whole days, as windows and partitions are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
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
        """Return the span whose text this is."""
        first, _, last = text.partition(" to ")
        return cls(date.fromisoformat(first), date.fromisoformat(last or first) + timedelta(days=1))

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days

    def halves(self) -> tuple[DateRange, DateRange]:
        """Return the two halves of a span of several days."""
        middle = self.start + timedelta(days=self.days // 2)
        return DateRange(self.start, middle), DateRange(middle, self.end)

    def widened(self, days: int) -> DateRange:
        """Return the span with some days more on either side."""
        padding = timedelta(days=days)
        return DateRange(self.start - padding, self.end + padding)

    def instants(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the span as moments: its first, and the first after it."""
        return datetime.combine(self.start, time(), zone), datetime.combine(self.end, time(), zone)


def merge_ranges(spans: list[DateRange]) -> tuple[DateRange, ...]:
    """Return the spans in order, those that adjoin made one."""
    result: list[DateRange] = []
    for span in sorted(spans, key=lambda one: one.start):
        if result and result[-1].end >= span.start:
            result[-1] = DateRange(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return tuple(result)
