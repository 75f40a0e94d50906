"""A file of entries that only grows, each behind its checksum.

An entry is whole or it is not there: what a killed process wrote last, and whatever follows the first entry that does
not agree with its checksum, is cut off when the file is opened.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

_HEAD = struct.Struct("<4sIII")
"""Mark, bytes as packed, bytes unpacked, checksum."""
_FILE_MARK = b"crm1"
_MOST = 1 << 30
"""Bytes of an entry; more than any page has, less than would fill the memory."""


class JournalFile:
    """The file, open for reading and writing.

    Args:
        path: Where it is; made, for its owner alone, if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
        self._codec = pa.Codec("lz4")  # a page a tenth of a millisecond, in which the next one waits
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
        packed = self._codec.compress(entry, asbytes=True)
        whole, place = _HEAD.pack(_FILE_MARK, len(packed), len(entry), zlib.crc32(packed)) + packed, self._end
        self._file.seek(place)
        if len(entry) > _MOST or self._file.write(whole) < len(whole):
            self.cut(place)
            raise OSError(f"an entry of {len(entry)} bytes cannot be kept")
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
        self._file.seek(place)
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        mark, packed_size, size, checksum = _HEAD.unpack(head)
        if mark != _FILE_MARK or size > _MOST or packed_size > self._size - place - _HEAD.size:
            return None
        packed = self._file.read(packed_size)
        if zlib.crc32(packed) != checksum:
            return None
        try:
            return self._codec.decompress(packed, size, asbytes=True), place + _HEAD.size + packed_size
        except (pa.ArrowException, OSError):
            return None
