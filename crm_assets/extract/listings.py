"""The lists of a resource: one per parent, combination of fixed values, and window."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from crm_assets.date_range import DateRange, without
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.incremental import names_days
from crm_assets.extract.errors import ReadError
from crm_assets.extract.read_report import ReadTask
from crm_assets.extract.staging.row_filter import ALL_ROWS, RowFilter


@dataclass(frozen=True)
class Listing:
    """One list: of one parent and one window."""

    values: dict[str, object]
    dates: DateRange | None = None
    keep: RowFilter = ALL_ROWS
    parent: Any = None
    """The parent's key."""
    key: str = ""
    """What distinguishes it from the resource's other lists, apart from the window."""
    late: bool = False
    """Whether it belongs to earlier runs, which did not have this parent or passed the list over."""

    def __str__(self) -> str:
        parts = [f"{name} {value}" for name, value in self.values.items()]
        parts += (
            [f"window {self.dates}"] if self.dates else ["rows without a date"] if self.keep.include_undated else []
        )
        return ", ".join(parts)


def list_key(parent: Any, fixed: Iterable[object]) -> str:
    """Return what distinguishes a list from the others of its resource, apart from the window.

    Args:
        parent: The parent's key, ``None`` for a resource without a parent.
        fixed: The fixed values its request is made with.
    """
    parts = [*([] if parent is None else [str(parent)]), *map(str, fixed)]
    return json.dumps(parts, ensure_ascii=False) if len(parts) > 1 else "".join(parts)


class Listings:
    """Which lists a read of one resource consists of.

    Args:
        connection: The account.
        task: What to read.
    """

    def __init__(self, connection: Connection, task: ReadTask) -> None:
        self.late: dict[str, list[Listing]] = {}
        """What earlier runs left out, by key; nothing is asked of it before the list of that key is read."""
        self.keys: set[str] = set()
        """Keys of the lists."""
        self._connection = connection
        self._task = task

    def of(self, parents: list[Any] | None, further: Mapping[Any, list[tuple[Any, ...]]]) -> Iterator[Listing]:
        """Yield the lists, and note in ``late`` what earlier runs left out.

        Args:
            parents: Values of the parent's column; ``None`` for a resource without a parent.
            further: What fills the placeholders beside the parent's key, by key.
        """
        window = self._task.resource.window
        for listing in self._combinations(parents, further):
            self.keys.add(listing.key)
            if window is None or not self._task.date_ranges:
                yield listing
                continue
            for dates in self._task.date_ranges:
                yield self._windowed(listing, dates)
            if (late := self._late_listings(listing)) is not None:
                self.late.setdefault(listing.key, []).extend(late)
            if window.include_undated:
                yield replace(listing, keep=RowFilter(include_undated=True))

    def _combinations(
        self, parents: list[Any] | None, further: Mapping[Any, list[tuple[Any, ...]]]
    ) -> Iterator[Listing]:
        """Yield the lists without a window: one for each parent and each combination of the fixed values."""
        parent, fixed = self._task.resource.parent, self._task.resource.for_each
        names = (parent.placeholder, *parent.further_fields) if parent else ()
        for key in [None] if parents is None else parents:
            for row in itertools.product(further.get(key, [()]), *fixed.values()):
                values = dict(zip((*names, *fixed), (*((key, *row[0]) if parent else ()), *row[1:]), strict=True))
                yield Listing(values, parent=key, key=list_key(key, row[1:]))

    def _late_listings(self, listing: Listing) -> list[Listing] | None:
        """Return what earlier runs left out of a list, ``None`` where they settled it."""
        window, known = self._task.resource.window, self._task.list_windows
        ranges = without(known.missing(listing.key), self._task.date_ranges)
        if window and window.per_partition:
            ranges = tuple(part for dates in ranges for part in dates.split(window.grain))
        if ranges or listing.key not in known.settled:
            return [replace(self._windowed(listing, dates), late=True) for dates in ranges]
        return None

    def _windowed(self, listing: Listing, dates: DateRange) -> Listing:
        window = self._task.resource.window
        exact = window is None or names_days(window.format)
        keep = ALL_ROWS if exact else RowFilter(before=dates.instants(self._connection.zone)[1])
        return replace(listing, dates=dates, keep=keep)

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
        return [self._windowed(listing, half) for half in listing.dates.halves()]
