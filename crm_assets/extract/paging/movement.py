"""Lists that move while they are read: what is seen of it, and when a read is proven all the same.

A record that is deleted, or moved, before the position of a read pulls the first record of the next page into one that
was read already. What shows it:

- the number of records that answers report changes, or differs from what was read;
- the first record of a page is the last one of the page before: something was inserted before them;
- a page is no longer what it was when it is read again at the end: page ``j`` shows what moved in or before it since
  then, so a few pages spread over the list find nearly everything, at the cost of a few requests;
- records that earlier reads knew are missing.

A list that showed none of it was still. One that moved is read through once more, and both passes are united: a record
is missing only if it slipped through both. If the second pass was still, or showed the same pages as the first, the
list is proven; if not, it is complete as far as anybody can see, and unproven.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from crm_assets.extract.errors import ReadError

Fingerprint = tuple[object, ...]
_FIRST_SHARE, _LATER_SHARE = 0.25, 0.05
"""Requests spent on looking again, the one behind the end included, as a share of the pages: on a list that is read for
the first time, and on one whose records are known."""


@dataclass(frozen=True)
class Sighting:
    """What one pass through a list saw."""

    pages: tuple[Fingerprint, ...]
    """Fingerprints of the pages with records."""
    records: int
    totals: tuple[int, ...] = ()
    """The different numbers of records that answers reported, in order."""
    shifts: int = 0
    """Pages that begin with the last record of the page before."""

    @property
    def movement(self) -> str:
        """What the pass itself showed of rows that moved, as a clause, or an empty text."""
        if len(self.totals) > 1:
            return f"the number of records changed from {self.totals[0]} to {self.totals[-1]}"
        if self.totals and self.totals[-1] != self.records:
            return f"{self.totals[-1]} records were reported and {self.records} came"
        return f"{self.shifts} pages began with the last record of the page before" if self.shifts else ""


class Source(Protocol):
    """A list that can be read through, and page by page again."""

    async def read_through(self) -> Sighting:
        """Read the list from its first page to its end."""

    async def read_again(self, page: int) -> Fingerprint:
        """Read a page of the last pass again (from 0)."""


@dataclass(frozen=True)
class Settled:
    """What is known of a list that was read to its end."""

    moved: str = ""
    """What showed that rows moved, as a clause; empty for a list that was still."""
    proven: bool = True
    """Whether every record that was there all the time was read."""


async def settle(source: Source, first: Sighting, *, known: bool, vanished: Callable[[], Awaitable[int]]) -> Settled:
    """Return whether a list is proven, after as many further requests as that takes.

    Args:
        source: The list.
        first: Its first pass.
        known: Whether an earlier read knew the list's records.
        vanished: Counts the records that earlier reads knew and this one did not see.

    Returns:
        The verdict. A second pass that fails proves nothing, and is no reason to drop what the first one brought.
    """
    if len(first.pages) < 2 and len(first.totals) < 2:  # one answer is of one moment, and no later one contradicts it
        return Settled()
    moved = await _movement(source, first, known=known)
    if not moved and not first.totals and (missing := await vanished()):
        moved = f"{missing} known records did not come"
    if not moved:
        return Settled()
    try:
        second = await source.read_through()
        if second.pages == first.pages and second.totals == first.totals and len(first.totals) < 2:
            return Settled()
        again = await _movement(source, second, known=False)
    except ReadError as error:
        return Settled(f"{moved}, and a second pass failed ({error.problem})", proven=False)
    return Settled(f"{moved}; in a second pass, {again}" if again else moved, proven=not again)


async def _movement(source: Source, seen: Sighting, *, known: bool) -> str:
    if seen.movement or seen.totals:
        return seen.movement
    for page in samples(len(seen.pages), known=known):
        if await source.read_again(page) != seen.pages[page]:
            return f"page {page + 1} had changed at the end"
    return ""


def samples(pages: int, *, known: bool) -> list[int]:
    """Return which pages of a list to read again, in this order.

    They are spread evenly, those that show most first: page ``j`` of ``n`` shows what moved in ``j`` pages since
    ``n - j`` others were read. The last page comes last: it was read just now, so it shows whether the list moves at
    present, anywhere.
    """
    count = int(pages * (_LATER_SHARE if known else _FIRST_SHARE)) - 1
    if count < 1:
        return []
    spread = {(pages - 1) * (2 * number + 1) // (2 * max(count - 1, 1)) for number in range(max(count - 1, 1))}
    return [*sorted(spread, key=lambda page: -(page + 1) * (pages - page)), *([pages - 1] if count > 1 else [])]
