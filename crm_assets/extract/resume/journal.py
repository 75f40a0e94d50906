"""The journal of one resource's read: the pages that came, and how the lists ended that were read to their end.

It holds what the staged files hold, the records, and beside them what paging has to know of a page. The read that uses
it began when the journal began: it is one read that took longer, and is proven by the same rules.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Annotated, TypeAlias

import msgspec

from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import ReadError
from crm_assets.extract.journal_storage.journal_store import JournalEntries


@dataclass(frozen=True)
class ListOutcome:
    """What reading a list to its end showed, beside its rows."""

    pages: int
    """Pages asked for, those included that were read again."""
    filled: int = 0
    """Pages with records."""
    repeats: int = 0
    ended_by: str = ""
    found: tuple[str, ...] = ()
    assumed: str = ""
    doubts: tuple[str, ...] = ()
    reported_total: int | None = None
    moved: str = ""
    unproven: str = ""
    split: bool = False
    """Whether it has more rows than the API serves for one query, and its parts were read in its place."""


class Began(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The first entry."""

    binding: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]


class KeptPage(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A page with its records."""

    of: bytes
    """The list."""
    at: int
    """Its number or offset, or which page of its list it is."""
    again: bool
    """Whether the list had been read before."""
    facts: bytes
    """What the body says of paging, as a JSON object."""
    records: Records


class ListEnded(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A list was read to its end."""

    of: bytes
    """The list."""
    outcome: ListOutcome


class Dropped(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What was kept of a list is of no use."""

    of: bytes
    """The list."""


_Entry: TypeAlias = Began | KeptPage | ListEnded | Dropped
_WAITING = 8
"""Entries of a journal that wait to be written: what a killed process loses of what it has read."""
_OF_THIS_RUN = -1
"""Place of an entry that this run has added, and does not read."""
_ENTRIES = msgspec.msgpack.Decoder[_Entry](_Entry)
_encode = msgspec.msgpack.Encoder().encode


@dataclass
class KeptEntries:
    """Where the entries of a list are."""

    pages: dict[int, int] = field(default_factory=dict)
    again: list[int] = field(default_factory=list)
    outcome: ListOutcome | None = None


class Journal:
    """What is kept of one resource's read.

    Entries are written by a thread of their own: the next pages don't wait for the disk or the database. Nothing is
    written behind an entry that could not be, so that a list never seems complete without all of its pages.

    Args:
        entries: Where; ``None`` to keep nothing.
        binding: Names what is read: of another journal nothing is taken.
        is_secret: Whether a text shows a secret, so that it must not be kept.
        say: Told that nothing more can be kept.
        writer: Has a single thread, which writes the entries; without it they are written at once.

    Raises:
        OSError: What is there cannot be read.
    """

    def __init__(
        self,
        entries: JournalEntries | None = None,
        binding: str = "",
        is_secret: Callable[[str], bool] = lambda _: False,
        say: Callable[[str], object] = lambda _: None,
        writer: Executor | None = None,
    ) -> None:
        self.began = datetime.now(timezone.utc)
        self.grown = False
        """Whether anything was added to what was there."""
        self.trusted = True
        """Whether all that was there could be used."""
        self.is_secret = is_secret
        self._failed: Exception | None = None
        self._told = False
        self._writer = writer
        self._writing: deque[Future[None]] = deque()
        self._binding = binding
        self._entries = entries
        self._say = say
        self._lists: dict[bytes, KeptEntries] = {}
        if entries is not None:
            self._load(entries)

    @property
    def resumed(self) -> bool:
        """Whether anything is kept."""
        return any(kept.pages or kept.outcome for kept in self._lists.values())

    def kept(self, name: bytes) -> KeptEntries:
        """Return where the entries of a list are."""
        return self._lists.setdefault(name, KeptEntries())

    def page(self, place: int) -> KeptPage:
        """Return the page at a place.

        Raises:
            ReadError: It is no longer what was written, or cannot be read.
        """
        try:
            entry = None if self._entries is None else _decoded_entry(self._entries.read(place))
        except OSError as error:
            raise ReadError(f"a page that an interrupted run saved cannot be read ({error}); run again") from error
        if not isinstance(entry, KeptPage):
            raise ReadError("a page that an interrupted run saved is missing; run again")
        return entry

    def add(self, entry: _Entry) -> None:
        """Keep an entry; where that fails, as on a full disk, nothing more is kept and the read goes on."""
        if self._entries is None or self._failed:
            self._tell()
            return
        self._note(entry, _OF_THIS_RUN)
        self.grown = True
        if self._writer is None:
            self._write(self._entries, entry)
        else:
            self._writing.append(self._writer.submit(self._write, self._entries, entry))
            self._wait(most=_WAITING)
        self._tell()

    def close(self) -> None:
        """Keep nothing more, and let other runs have what is there."""
        self._wait()
        self._tell()
        if self._entries is not None:
            self._entries.close()
        self._entries = None

    def remove(self) -> None:
        """Keep nothing more, and remove what is there."""
        self._wait()
        if self._entries is not None:
            self._entries.remove()
        self._entries = None

    def begin_anew(self) -> None:
        """Forget everything; this is the beginning.

        Raises:
            OSError: What is there cannot be removed.
        """
        self._wait()
        self._lists.clear()
        self.began = datetime.now(timezone.utc)
        if self._entries is not None:
            self._entries.cut(0)
            self.add(Began(self._binding, self.began))
        self.grown = False

    def _load(self, kept: JournalEntries) -> None:
        entries = _decoded(kept)
        first = next(entries, None)
        if first and isinstance(first[1], Began) and first[1].binding == self._binding:
            self.began = first[1].at
            for place, entry in entries:
                self._note(entry, place)
        else:
            self.trusted = first is None
            self.begin_anew()
        self.trusted = self.trusted and not kept.damaged

    def _write(self, entries: JournalEntries, entry: _Entry) -> None:
        if self._failed is None:
            try:
                entries.append(_encode(entry))
            except Exception as error:  # whatever it is: the read goes on, and nobody waits for this entry
                self._failed = error

    def _wait(self, most: int = 0) -> None:
        """Wait until at most so many entries are still to be written."""
        while len(self._writing) > most or (self._writing and self._writing[0].done()):
            self._writing.popleft().result()

    def _tell(self) -> None:
        if self._failed and not self._told:
            self._told = True
            reason = (self._failed.strerror if isinstance(self._failed, OSError) else None) or self._failed
            self._say(f"what is read from now on is not saved for resuming ({reason})")

    def _note(self, entry: _Entry, place: int) -> None:
        match entry:
            case KeptPage(of=name, again=True):
                self.kept(name).again.append(place)
            case KeptPage(of=name, at=at):
                self.kept(name).pages[at] = place
            case ListEnded(of=name, outcome=outcome):
                self.kept(name).outcome = outcome
            case Dropped(of=name):
                self._lists.pop(name, None)
            case Began():
                pass


def _decoded(kept: JournalEntries) -> Iterator[tuple[int, _Entry]]:
    """Yield places and entries, and cut off from the first one that is none."""
    for place, packed in kept.entries():
        entry = _decoded_entry(packed)
        if entry is None:
            kept.damaged = True
            kept.cut(place)
            return
        yield place, entry


def _decoded_entry(packed: bytes) -> _Entry | None:
    try:
        entry: _Entry = _ENTRIES.decode(packed)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return entry
