"""A journal in a file that only grows.

An entry is whole or it is not there: what a killed process wrote last, and whatever follows the first entry that does
not agree with its checksum, is cut off when the file is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from crm_assets.extract.journal_storage.frame import HEAD_BYTES, framed, packed_size, unframed


class JournalFile:
    """The file, open for reading and writing; one thread may read while another one writes.

    Args:
        path: Where it is; made, for its owner alone, if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
        self._end = 0
        self.damaged = False
        """Whether something had to be cut off when the file was read."""

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Yield the place and content of each entry, and cut off what follows the last good one."""
        while (found := self._entry(self._end)) is not None:
            entry, after = found
            yield self._end, entry
            self._end = after
        self.damaged = self._size > self._end
        self.cut(self._end)

    def cut(self, end: int) -> None:
        """Cut the file off at a place."""
        self._end = end
        self._file.truncate(end)

    def append(self, entry: bytes) -> int:
        """Write an entry at the end and return its place.

        Raises:
            OSError: It could not be written; the file is as it was.
        """
        whole, place = framed(entry), self._end
        try:
            complete = os.pwrite(self._file.fileno(), whole, place) == len(whole)
        except OSError:
            self.cut(place)
            raise
        if not complete:
            self.cut(place)
            raise OSError("the disk is full")
        self._end += len(whole)
        return place

    def read(self, place: int) -> bytes:
        """Return the entry at a place.

        Raises:
            OSError: It is no longer what was written.
        """
        found = self._entry(place)
        if found is None:
            raise OSError("a file saved for this read has changed meanwhile")
        return found[0]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _entry(self, place: int) -> tuple[bytes, int] | None:
        head = os.pread(self._file.fileno(), HEAD_BYTES, place)
        size = packed_size(head)
        if size is None or size > self._size - place - HEAD_BYTES:
            return None
        entry = unframed(head + os.pread(self._file.fileno(), size, place + HEAD_BYTES))
        return None if entry is None else (entry, place + HEAD_BYTES + size)
