"""The number of rows that a read changed in its table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Changes:
    """The rows of a read, compared with their table."""

    new: int = 0
    changed: int = 0
    """Rows with another value than before, or that had been deleted."""
    unchanged: int = 0
    revived: int = 0
    """Of the changed rows, those that had been deleted."""


@dataclass(frozen=True)
class Committed:
    """The changes made by a committed read."""

    changes: Changes
    deleted: int
    """Rows deleted, or marked as deleted."""
    refused: int
    """Rows whose mark ``max_delete_fraction`` forbids."""
    table_rows: int
    """Rows the table has now, without those marked as deleted."""
    counted: bool
    """Whether they were counted, and not added to and subtracted from what the read before left."""
