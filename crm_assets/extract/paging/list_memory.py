"""What reads learn of how a list is paged, kept in the data folder between runs.

It saves requests and is never taken on trust: a page that is longer or shorter than anything seen before is looked into
again, and the first list of each read always is. Losing the file costs some requests and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource


@dataclass(frozen=True)
class ListFacts:
    """What is known of a resource's lists."""

    pages: int = 0
    """Pages with records, where the resource has one list; 0 where it has several."""
    fullest: int = 0
    """Records of the fullest page ever served."""
    short_ends: bool = False
    """Whether a short page was followed by an empty one."""
    uneven: bool = False
    """Whether a short page was followed by records: then a short page never ends a list."""
    empty_ends: bool = False
    """Whether an empty page was followed by another empty one."""
    repeats_last: bool = False
    """Whether pages behind the end repeat the last one."""


@dataclass
class ListMemory:
    """The memory of one resource during one read.

    Args:
        before: What earlier reads learned.
        in_full: Whether this read asks for the whole list, so that it may expect as many pages as before.
    """

    before: ListFacts = field(default_factory=ListFacts)
    now: ListFacts = field(default_factory=ListFacts)
    """What this read learned."""
    filled: int = 0
    """Pages with records of the list that was read last."""
    in_full: bool = True

    @property
    def expected_pages(self) -> int:
        """Pages that may be asked for ahead of the answers; 0 if nothing is known."""
        return self.before.pages if self.in_full else 0

    def trusts_short(self, count: int) -> bool:
        """Whether a first page ends its list because it is short, without looking at the next.

        Such a page has at most half the records of a page that these lists have served, so the server can serve longer
        ones, and records left out of it are no explanation. Each read confirms one such end all the same.
        """
        known = self.now.short_ends and not (self.before.uneven or self.now.uneven)
        return known and 2 * count <= max(self.before.fullest, self.now.fullest)

    def trusts_empty(self, index: int) -> bool:
        """Whether an empty page behind a full one ends its list, at a position at which the list has ended before."""
        return (self.before.empty_ends or self.now.empty_ends) and index >= self.before.pages

    @property
    def repeats_last(self) -> bool:
        """Whether pages behind the end are known to repeat the last one."""
        return self.before.repeats_last or self.now.repeats_last

    def learn(self, **facts: bool) -> None:
        """Add facts."""
        self.now = replace(self.now, **facts)

    def learn_end(self, kind: str) -> None:
        """Remember that an end of a kind was confirmed by the page after it; that of a count says nothing of others."""
        if kind == "counted":
            return
        fact = {"short": "short_ends", "repeat": "repeats_last"}.get(kind, "empty_ends")
        self.now = replace(self.now, **{fact: True})

    def note_page(self, count: int) -> None:
        """Take note of the size of a page."""
        if count > self.now.fullest:
            self.now = replace(self.now, fullest=count)

    def result(self, *, only_list: bool) -> ListFacts:
        """Return what is known after the read.

        Args:
            only_list: Whether the resource has a single list, and it was read in full.
        """
        before, now = self.before, self.now
        return ListFacts(
            self.filled if only_list else before.pages,
            max(before.fullest, now.fullest),
            before.short_ends or now.short_ends,
            before.uneven or now.uneven,
            before.empty_ends or now.empty_ends,
            before.repeats_last or now.repeats_last,
        )


class PagingMemory:
    """The file in which a connection's memories are kept.

    Args:
        path: The file, or ``None`` to forget everything.
        connection: The account; its facts are of no use for another address or declaration.
    """

    def __init__(self, path: Path | None, connection: Connection) -> None:
        self._path = path
        self._connection = connection
        self._entries = self._read()

    def of(self, resource: Resource, *, in_full: bool) -> ListMemory:
        """Return the memory of a resource, for a read of its whole lists or of parts of them."""
        entry = self._entries.get(resource.name, {})
        if entry.get("declaration") != self._declaration(resource):
            return ListMemory(in_full=in_full)
        try:
            return ListMemory(ListFacts(**entry["facts"]), in_full=in_full)
        except (KeyError, TypeError):
            return ListMemory(in_full=in_full)

    def keep(self, facts: Iterable[tuple[Resource, ListFacts]]) -> None:
        """Write what was learned; the memories of other resources stay as they are in the file by now."""
        if self._path is None:
            return
        entries = self._read()
        for resource, known in facts:
            entries[resource.name] = {"declaration": self._declaration(resource), "facts": asdict(known)}
        temporary = self._path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):  # on a full disk a read costs some more requests next time
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_text(json.dumps(entries, indent=1))
            temporary.replace(self._path)

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text()) if self._path else {}
        except (OSError, ValueError):
            return {}
        return (
            {name: entry for name, entry in found.items() if isinstance(entry, dict)} if isinstance(found, dict) else {}
        )

    def _declaration(self, resource: Resource) -> str:
        endpoint = resource.endpoint.model_dump_json()
        return sha256(f"{self._connection.base_url}\n{resource.name}\n{endpoint}".encode()).hexdigest()[:16]
