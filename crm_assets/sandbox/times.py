"""Dates and timestamps of rows: created, then updated, then now; window fields over all days."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.sandbox.draw import DateRange, midnight, moment, spread
from crm_assets.sandbox.roles import Roles

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Calendar:
    """What the dates of a table are made from."""

    resource: Resource
    roles: Roles
    zone: ZoneInfo

    @cached_property
    def step(self) -> int:
        """Resolution of all timestamps of the table in milliseconds: that of its coarsest column."""
        return 1000 if any(column.format == "epoch_s" for column in self.resource.columns.values()) else 1

    def fill(self, count: int, span: DateRange, draws: random.Random) -> dict[str, list[Any]]:
        """Return the dates and timestamps of new rows by column.

        Args:
            count: How many rows.
            span: When they came into being; its end is now. Window fields reach a day further, to the end of today.
            draws: Stream to draw from.
        """
        window = self.resource.window.field if self.resource.window else None
        whole = DateRange(span.start, midnight(day_of(span.end, self.zone) + _DAY, self.zone))
        days = spread(count, whole if window else span, draws, self.step)
        created = days
        if window and window not in self.roles.created:
            draws.shuffle(days)
            created = [self._between(DateRange(span.start, min(day, span.end)), draws) for day in days]
        found = dict.fromkeys(self.roles.created, created)
        for name in self.roles.updated:
            found[name] = [self._touched(DateRange(first, span.end), draws) for first in created]
        for name in self.roles.later:
            found[name] = self._later(name, found, created, span.end, draws)
        if window:
            found[window] = days
        return {name: dated(self.resource.columns[name], moments, self.zone) for name, moments in found.items()}

    def _between(self, span: DateRange, draws: random.Random) -> datetime:
        return moment(span, int(draws.random() * span.milliseconds), self.step)

    def _touched(self, span: DateRange, draws: random.Random) -> datetime:
        return span.start if draws.random() < 0.4 else self._between(span, draws)

    def _later(
        self, name: str, found: dict[str, list[datetime]], created: list[datetime], now: datetime, draws: random.Random
    ) -> list[datetime]:
        start = found.get(name.replace("end", "start")) if "end" in name else None
        if start:
            return [first + timedelta(minutes=30 * draws.randrange(1, 5)) for first in start]
        ahead = now + 30 * _DAY
        return [self._between(DateRange(first, min(first + 60 * _DAY, ahead)), draws) for first in created]


def dated(column: Column, moments: Sequence[datetime], zone: ZoneInfo) -> list[Any]:
    """Return the moments as the column holds them: timestamps as they are, dates as days of the time zone."""
    if column.type is ColumnType.DATE:
        return [day_of(value, zone) for value in moments]
    return list(moments)


def day_of(value: datetime, zone: ZoneInfo) -> date:
    """Return the day of a moment in a time zone."""
    return value.astimezone(zone).date()
