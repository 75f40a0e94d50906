"""Completeness: what a read saw, and the proof that it saw the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.system import Resource


@dataclass(frozen=True)
class ReadTask:
    """What is to be read of one resource."""

    resource: Resource
    spans: tuple[DateRange, ...] = ()
    """Windows to ask for; empty for full and incremental reads."""
    since: datetime | None = None
    """The cursor's starting point; ``None`` full refreshes."""
    load: bool = True
    """Whether rows are loaded; a parent may be read for its keys alone."""

    @property
    def mode(self) -> str:
        """``window``, ``incremental`` or ``full_refresh``."""
        return "window" if self.spans else "incremental" if self.since else "full_refresh"


@dataclass
class ReadReport:
    """What one read of a resource saw. It is complete, or it says why not."""

    read_id: str = field(default_factory=lambda: uuid4().hex)
    """Stands in ``_read_id`` of every row this read brought."""
    mode: str = "full_refresh"
    complete: bool = False
    reason: str = ""
    """Why the read is short, or how its end was seen."""
    found: list[str] = field(default_factory=list)
    """What the declaration leaves open and the answers showed, such as where the records are."""
    assumed: str = ""
    """What was taken for the end though nothing proves it; then nothing is marked as deleted."""
    rows: int = 0
    """Rows to load, without duplicates and rejects."""
    pages: int = 0
    lists: int = 0
    """Lists walked: one per parent and window."""
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    duplicates: int = 0
    """Records seen again, without those that an overlapping cursor repeats on purpose."""
    repeats: int = 0
    duplicate_keys: list[dict[str, Any]] = field(default_factory=list)
    rejected: int = 0
    misfits: dict[str, int] = field(default_factory=dict)
    """Column to number of values that did not fit its type."""
    unknown: dict[str, int] = field(default_factory=dict)
    """Undeclared field to number of records that had it."""
    strays: int = 0
    """Rows whose date lies outside the window that was asked for."""
    skipped: list[str] = field(default_factory=list)
    """Lists passed over because of an ignored status."""
    parents: int | None = None
    reported_total: int | None = None
    """Number of records the API itself reported."""
    seconds_fetch: float = 0.0
    seconds_waited: float = 0.0
    seconds_decode: float = 0.0
    concurrency: float = 0.0
    """Requests in flight on average while reading."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    spans: tuple[DateRange, ...] = ()
    since: datetime | None = None
