"""The journal of one resource's read: the pages that came, and how the lists ended that were read to their end.

It holds what the staged files hold, the records, and beside them what paging has to know of a page. The read that uses
it began when the journal began: it is one read that took longer, and is proven by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Annotated, TypeAlias

import msgspec

from crm_assets.extract.decode.records import Records
from crm_assets.extract.resume.journal_file import JournalFile


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

    Args:
        file: Where; ``None`` to keep nothing.
        binding: Names what is read: of another journal nothing is taken.
        is_secret: Whether a text shows a secret, so that it must not be kept.
    """

    def __init__(
        self,
        file: JournalFile | None = None,
        binding: str = "",
        is_secret: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.began = datetime.now(timezone.utc)
        self.grown = False
        """Whether anything was added to what was there."""
        self.trusted = True
        """Whether all of a file that was there could be used."""
        self._full = False
        self._binding = binding
        self._file = file
        self.is_secret = is_secret
        self._lists: dict[bytes, KeptEntries] = {}
        if file is not None:
            self._load(file)

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
            OSError: It is no longer what was written.
        """
        entry = None if self._file is None else _ENTRIES.decode(self._file.read(place))
        if not isinstance(entry, KeptPage):
            raise OSError("a page saved for this read is missing")
        return entry

    def add(self, entry: _Entry) -> None:
        """Keep an entry; where that fails, as on a full disk, nothing more is kept and the read goes on."""
        if self._file is None or self._full:
            return
        try:
            self._note(entry, self._file.append(_encode(entry)))
            self.grown = True
        except OSError:
            self._full = True

    def close(self) -> None:
        """Keep nothing more; what is in the file stays there."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def begin_anew(self) -> None:
        """Forget everything; this is the beginning."""
        self._lists.clear()
        self.began = datetime.now(timezone.utc)
        if self._file is not None:
            self._file.cut(0)
            self.add(Began(self._binding, self.began))
        self.grown = False

    def _load(self, file: JournalFile) -> None:
        entries = self._entries(file)
        first = next(entries, None)
        if first and isinstance(first[1], Began) and first[1].binding == self._binding:
            self.began = first[1].at
            for place, entry in entries:
                self._note(entry, place)
        else:
            self.trusted = first is None
            self.begin_anew()
        self.trusted = self.trusted and not file.damaged

    def _entries(self, file: JournalFile) -> Iterator[tuple[int, _Entry]]:
        for place, packed in file.entries():
            entry = _decoded_entry(packed)
            if entry is None:
                file.damaged = True
                file.cut(place)
                return
            yield place, entry

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


def _decoded_entry(packed: bytes) -> _Entry | None:
    try:
        entry: _Entry = _ENTRIES.decode(packed)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return entry
