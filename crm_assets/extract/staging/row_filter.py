"""Which rows of a list's pages belong to what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class RowFilter:
    """Filter for rows outside the requested range."""

    include_undated: bool = False
    """Only rows without a date: the question had no bounds."""
    before: datetime | None = None
    """Only rows before this moment: the API counts its last bound in, the window does not."""
    again: bool = False
    """Whether the pages were read before, so that what was rejected is in ``__rejected`` already."""


ALL_ROWS = RowFilter()
