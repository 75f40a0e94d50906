"""What a read changed in its table, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Changes:
    """What the rows of a read were to their table."""

    new: int = 0
    changed: int = 0
    """Rows with another value than before, or that had been deleted."""
    unchanged: int = 0


@dataclass(frozen=True)
class Committed:
    """What a committed read changed."""

    changes: Changes
    deleted: int
    """Rows deleted, or marked as deleted."""
    refused: int
    """Rows whose mark ``max_delete_fraction`` forbids."""
    table_rows: int
    """Rows the table has now, without those marked as deleted."""
