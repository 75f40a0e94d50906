"""Completeness: what a read saw, and the proof that it saw the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from crm_assets.date_range import DateRange, merge_ranges
from crm_assets.declarations.models.columns import Column
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource


@dataclass(frozen=True)
class ListWindows:
    """What was read, by days, of the lists of a resource: of parents and fixed values, or of the only one."""

    settled: frozenset[str] = frozenset()
    """Keys of the lists that were read for all loaded days but the missed ones."""
    loaded: tuple[DateRange, ...] = ()
    """The days that are loaded, and that the list of a new parent or value has to be read for."""
    missed: Mapping[str, tuple[DateRange, ...]] = field(default_factory=dict)
    """Days whose lists were skipped, by the list's key."""

    def missing(self, key: str) -> tuple[DateRange, ...]:
        """Return the loaded days that a list, such as that of a new parent, has no part in."""
        return self.missed.get(key, ()) if key in self.settled else self.loaded


@dataclass(frozen=True)
class FoundBefore:
    """Columns that earlier reads found of a resource."""

    columns: Mapping[str, Column] = field(default_factory=dict)
    inexact: frozenset[str] = frozenset()
    """Those of whole numbers some of which no double holds."""


@dataclass(frozen=True)
class ReadTask:
    """What is to be read of one resource."""

    resource: Resource
    date_ranges: tuple[DateRange, ...] = ()
    """Windows to ask for; empty for full and incremental reads."""
    list_windows: ListWindows = ListWindows()
    """What earlier runs read of the windowed lists."""
    since: datetime | None = None
    """Starting point of an incremental read, the earliest where every parent has its own; ``None`` reads in full."""
    starts: Mapping[str, datetime] = field(default_factory=dict)
    """Starting point by parent's key, as text, or by fixed values; all other lists are read from their beginning."""
    known_parents: tuple[Any, ...] | None = None
    """Keys of loaded parents to ask beside those read in this run; ``None`` if the parent is read in full."""
    unchanged_parents: Mapping[Any, Any] | None = None
    """Change time of loaded parents by key: those that the parent's read shows with another one are asked, beside the
    known ones; ``None`` to ask all it shows."""
    known: Path | None = None
    """Parquet file of the keys that are known, for a list that may move unseen; ``None`` where none are needed."""
    found_before: FoundBefore = field(default_factory=FoundBefore)
    """Columns that earlier reads made of undeclared fields."""
    load: bool = True
    """Whether rows are loaded; a parent may be read for its keys alone."""
    why: str = ""
    """Why the read is what it is, where the declaration alone does not say."""

    @property
    def mode(self) -> str:
        """``window``, ``incremental`` or ``full_refresh``."""
        return "window" if self.date_ranges else "incremental" if self.since or self.some_parents else "full_refresh"

    @property
    def reach(self) -> tuple[DateRange, ...]:
        """The days that rows may be of: those asked for, and those that lists of new parents are read for."""
        return merge_ranges([*self.date_ranges, *self.list_windows.loaded])

    @property
    def some_parents(self) -> bool:
        """Whether only some of the parents are asked, so that what is not seen may still be there."""
        return self.unchanged_parents is not None

    def start_of(self, key: str) -> datetime | None:
        """Return where a list starts, by its parent or fixed values; ``None`` for its beginning."""
        if self.since is None or not (self.resource.parent or self.starts):
            return self.since
        return self.starts.get(key)


@dataclass
class ReadReport:
    """What one read of a resource saw. It is complete, or it says why not."""

    read_id: str = field(default_factory=lambda: uuid4().hex)
    """Stands in ``_read_id`` of every row this read brought."""
    declaration: str = ""
    """What :func:`declared` said of the resource."""
    mode: str = "full_refresh"
    complete: bool = False
    reason: str = ""
    """Why the read is short, or how its end was seen."""
    found: list[str] = field(default_factory=list)
    """What the declaration leaves open and the answers showed, such as where the records are."""
    assumed: str = ""
    """What was taken for the end though nothing proves it; then nothing is marked as deleted."""
    moved: str = ""
    """What showed that rows moved while a list was read, as a clause."""
    unproven: str = ""
    """Why a complete read is not proven: its lists moved, and that could not be settled."""
    rows: int = 0
    """Rows to load, without duplicates and rejects."""
    pages: int = 0
    lists: int = 0
    """Lists walked: one per parent and window."""
    lists_resumed: int = 0
    """Lists that an interrupted run had read to their end."""
    pages_resumed: int = 0
    """Pages that an interrupted run had read."""
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    duplicates: int = 0
    """Records seen again, without those that an overlapping cursor repeats on purpose."""
    repeats: int = 0
    duplicate_keys: list[dict[str, Any]] = field(default_factory=list)
    filtered: int = 0
    """Records that the resource's filters left out."""
    rejected: int = 0
    rejects: list[dict[str, str]] = field(default_factory=list)
    """Reason and key of the first records that were rejected."""
    absent: dict[str, int] = field(default_factory=dict)
    """Declared column whose source no record contained, to the number of records looked at."""
    misfits: dict[str, int] = field(default_factory=dict)
    """Column to number of values that did not fit its type."""
    unknown: dict[str, int] = field(default_factory=dict)
    """Undeclared field to number of records that had it."""
    columns: dict[str, str] = field(default_factory=dict)
    """Columns that undeclared fields became, to the paths of the fields."""
    column_changes: list[str] = field(default_factory=list)
    """How they differ from those of earlier reads, as clauses."""
    strays: int = 0
    """Rows whose date lies outside the window that was asked for."""
    doubts: list[str] = field(default_factory=list)
    """What answers said against the declared end of their lists, as clauses."""
    skipped: list[str] = field(default_factory=list)
    """Lists skipped because of an ignored status, or a parent's key that cannot be part of an address."""
    passed_over: list[str] = field(default_factory=list)
    """Parents whose lists were skipped, by key as text, or fixed values: what came of them does not count as read."""
    settled: list[str] = field(default_factory=list)
    """Keys of the lists that were now read for all loaded days but the missed ones."""
    unsettled: list[str] = field(default_factory=list)
    """Keys of such lists that were not there for this read."""
    missed: dict[str, list[DateRange]] = field(default_factory=dict)
    """Windows whose lists were skipped, by the list's key."""
    missing_parents: str = ""
    """Why lists of some parents may not have been read, as a clause; then nothing is marked as deleted."""
    gone_parents: int = 0
    """Loaded parents that the source no longer has, as their lists showed."""
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
    date_ranges: tuple[DateRange, ...] = ()
    since: datetime | None = None

    @property
    def resumed(self) -> str:
        """What an interrupted run had read, as a clause; empty if nothing."""
        if not self.pages_resumed:
            return ""
        if self.lists == 1:
            return f"resumed: {self.pages_resumed} of {self.pages} pages were read before"
        return f"resumed: {self.lists_resumed} of {self.lists} lists were read before"

    @property
    def deletions_allowed(self) -> bool:
        """Whether rows that were not read are gone at the source."""
        return self.complete and not self.doubt_of_rows

    @property
    def doubt_of_rows(self) -> str:
        """Why rows of the source may be missing from those that were read, as a clause; empty if none can be."""
        doubts = {
            self.missing_parents: self.missing_parents,
            "some lists were skipped": self.skipped,
            "rows moved": self.unproven,
            "the end is assumed": self.assumed,
            "some records were rejected": self.rejected,
        }
        return next((clause for clause, doubt in doubts.items() if doubt), "")


def declared(connection: Connection, resource: Resource) -> str:
    """Return what stands for the part of a declaration that decides which rows a table has and what is in them.

    Another one makes rows that were read before incomplete, however little of them changes at the source. How errors
    are met, how a list is paged and what is said about it do not matter.
    """
    endpoint = resource.endpoint.model_dump(
        exclude={"error_handler", "paginator", "response_actions", "auth"}, exclude_defaults=True
    )
    columns = {name: (column.source, column.format, column.timezone) for name, column in resource.columns.items()}
    params = connection.params, connection.system.client.params
    rows = resource.primary_key, resource.write_disposition
    named = [endpoint, resource.for_each, resource.parent, columns, params, str(connection.zone), rows]
    return sha256(json.dumps(named, default=str, sort_keys=True).encode()).hexdigest()[:16]
