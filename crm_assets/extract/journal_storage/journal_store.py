"""Where journals are: in files of one machine, or wherever all machines find them.

A journal belongs to one run at a time, for as long as that has it open. What a store holds has no power: entries that
do not agree with their checksum, and all behind them, are cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class JournalName:
    """What a journal is found by."""

    connection: str
    resource: str
    binding: str
    """Names what is read: declaration, account, destination and days."""


class JournalEntries(Protocol):
    """One journal, open for reading and writing; entries are found by their places, which only grow."""

    damaged: bool
    """Whether something had to be cut off when the entries were read."""

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Yield the place and content of each entry, and cut off what follows the last good one."""

    def cut(self, end: int) -> None:
        """Cut the journal off at a place; at 0 it begins anew."""

    def append(self, entry: bytes) -> int:
        """Write an entry at the end and return its place.

        Raises:
            OSError: It could not be written; the journal is as it was.
        """

    def read(self, place: int) -> bytes:
        """Return the entry at a place.

        Raises:
            OSError: It is no longer what was written.
        """

    def close(self) -> None:
        """Let other runs have the journal."""

    def remove(self) -> None:
        """Remove the journal."""


class JournalStore(Protocol):
    """The journals of all connections, for one run."""

    def open(self, name: JournalName, hours: float, *, fresh: bool) -> JournalEntries:
        """Open a journal; one that is not there is made.

        Args:
            name: Which one.
            hours: Journals that are older are removed, if no run has them.
            fresh: Whether all of the same list are removed, if no run has them.

        Raises:
            filelock.Timeout: Another run has it.
            OSError: Nothing can be kept.
        """

    def left_by(self, connection: str) -> bool:
        """Return whether an interrupted run of a connection may have left anything."""

    def close(self) -> None:
        """End the work; all journals are closed."""
