"""The lists of a resource: one per parent, combination of fixed values, and window."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from crm_assets.date_range import DateRange, without
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.incremental import names_days
from crm_assets.extract.errors import ReadError
from crm_assets.extract.read_report import ReadTask
from crm_assets.extract.staging.staged_rows import ALL_ROWS, RowFilter


@dataclass(frozen=True)
class Listing:
    """One list: of one parent and one window."""

    values: dict[str, object]
    dates: DateRange | None = None
    keep: RowFilter = ALL_ROWS
    parent: Any = None
    """The parent's key."""
    late: bool = False
    """Whether it belongs to earlier runs, which did not have this parent or passed the list over."""

    def __str__(self) -> str:
        parts = [f"{name} {value}" for name, value in self.values.items()]
        parts += (
            [f"window {self.dates}"] if self.dates else ["rows without a date"] if self.keep.include_undated else []
        )
        return ", ".join(parts)


class Listings:
    """Which lists a read of one resource consists of.

    Args:
        connection: The account.
        task: What to read.
    """

    def __init__(self, connection: Connection, task: ReadTask) -> None:
        self.late: dict[Any, list[Listing]] = {}
        """What earlier runs left out, by parent; nothing is asked of it before one of the parent's lists is read."""
        self._connection = connection
        self._task = task

    def of(self, parents: list[Any] | None, further: Mapping[Any, list[tuple[Any, ...]]]) -> Iterator[Listing]:
        """Yield the lists, and note in ``late`` what earlier runs left out.

        Args:
            parents: Values of the parent's column; ``None`` for a resource without a parent.
            further: What fills the placeholders beside the parent's key, by key.
        """
        parent, window = self._task.resource.parent, self._task.resource.window
        for key, values in self._combinations(parents, further):
            if window is None or not self._task.date_ranges:
                yield Listing(values, parent=key)
                continue
            for dates in self._task.date_ranges:
                yield self._windowed(values, dates, key)
            if parent:
                for late, listings in self._late_listings(values, key).items():
                    self.late.setdefault(late, []).extend(listings)
            if window.include_undated:
                yield Listing(values, keep=RowFilter(include_undated=True), parent=key)

    def _combinations(
        self, parents: list[Any] | None, further: Mapping[Any, list[tuple[Any, ...]]]
    ) -> Iterator[tuple[Any, dict[str, object]]]:
        """Yield each parent's key and what fills the placeholders, for each combination of the fixed values."""
        parent, fixed = self._task.resource.parent, self._task.resource.for_each
        names = (parent.placeholder, *parent.further_fields) if parent else ()
        for key in [None] if parents is None else parents:
            for row in itertools.product(further.get(key, [()]), *fixed.values()):
                yield key, dict(zip((*names, *fixed), (*((key, *row[0]) if parent else ()), *row[1:]), strict=True))

    def _late_listings(self, values: dict[str, object], key: Any) -> dict[Any, list[Listing]]:
        """Return what earlier runs left out of a parent's lists; nothing is asked of it before one of them is read."""
        window, known = self._task.resource.window, self._task.parent_windows
        ranges = without(known.missing(key), self._task.date_ranges)
        if window and window.per_partition:
            ranges = tuple(part for dates in ranges for part in dates.split(window.grain))
        if ranges or str(key) not in known.settled:
            return {key: [replace(self._windowed(values, dates, key), late=True) for dates in ranges]}
        return {}

    def _windowed(self, values: dict[str, object], dates: DateRange, parent: Any) -> Listing:
        window = self._task.resource.window
        exact = window is None or names_days(window.format)
        keep = ALL_ROWS if exact else RowFilter(before=dates.instants(self._connection.zone)[1])
        return Listing(values, dates, keep, parent)

    def depth(self, listing: Listing) -> int | None:
        """Return how many rows the API serves for one query of a window, where that is declared."""
        window = self._task.resource.window
        return window.max_rows if window and listing.dates else None

    def split(self, listing: Listing, depth: int) -> Iterable[Listing]:
        """Return the halves of a list whose window has too many rows.

        Raises:
            ReadError: The window cannot be divided.
        """
        window = self._task.resource.window
        if listing.dates is None or listing.dates.days < 2 or (window and window.per_partition):
            raise ReadError(f"the API serves no more than {depth} rows of one query, and this window has as many")
        return [self._windowed(listing.values, half, listing.parent) for half in listing.dates.halves()]
