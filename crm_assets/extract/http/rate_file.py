"""The file in which all runs on a machine agree on the rate of a connection.

It begins with a line of JSON behind its checksum: the state (:mod:`~crm_assets.extract.http.rate_state`); the ring
follows. A file that is not of this format is started over.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec
from filelock import FileLock

from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.http.rate_state import Rates, RateState

_HEADER = 512
"""Bytes of the first line, filled up with blanks: twice what its longest numbers need."""
_PACKED_MOMENT = struct.Struct("<d")


class RateFile:
    """The file of one connection.

    Args:
        path: Where it is; a lock lies beside it.
        limit: The vendor's published figure, if any.
    """

    def __init__(self, path: Path, limit: RateLimit | None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self.limit = limit
        self._lock = FileLock(f"{path}.lock")

    @property
    def place(self) -> str:
        """What to call it in messages."""
        return str(self.path)

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to agree on."""
        return self.limit is not None or self.path.exists()

    @contextmanager
    def open(self, now: float, *, block: bool) -> Iterator[Rates]:
        """Hold the file alone; what is changed is written at the end.

        Args:
            now: The moment at which the file is read.
            block: Whether to wait for another process that holds it.

        Raises:
            filelock.Timeout: Another process holds it.
        """
        with self._lock.acquire(timeout=-1 if block else 0):
            self.path.touch(mode=0o600)
            with self.path.open("r+b") as file:
                rates = Rates(_header_state(file.read(_HEADER)), _FileRing(file), self.limit, now)
                yield rates
                rates.state.written = now
                file.seek(0)
                file.write(_packed(rates.state))
            if self.limit is None and rates.state.is_past(now):
                self.path.unlink()


class _FileRing:
    """The departures behind the first line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def at(self, place: int) -> float:
        self._seek(place)
        packed = self._file.read(_PACKED_MOMENT.size)
        return float(_PACKED_MOMENT.unpack(packed)[0]) if len(packed) == _PACKED_MOMENT.size else 0.0

    def put(self, place: int, moment: float) -> None:
        self._seek(place)
        self._file.write(_PACKED_MOMENT.pack(moment))

    def all(self) -> list[float]:
        self._seek(0)
        content = self._file.read()
        whole = len(content) - len(content) % _PACKED_MOMENT.size
        return [moment for (moment,) in _PACKED_MOMENT.iter_unpack(content[:whole])]

    def replace(self, moments: list[float]) -> None:
        self._file.truncate(_HEADER)
        self._seek(0)
        self._file.write(b"".join(map(_PACKED_MOMENT.pack, moments)))

    def _seek(self, place: int) -> None:
        self._file.seek(_HEADER + place * _PACKED_MOMENT.size)


def _packed(state: RateState) -> bytes:
    line = msgspec.json.encode(state)
    return b"%08x %s" % (zlib.crc32(line), line.ljust(_HEADER - 10)) + b"\n"


def _header_state(header: bytes) -> RateState | None:
    """Return what the first line says, or ``None`` where it is damaged or of another format."""
    checksum, _, line = header.partition(b" ")
    line = line.rstrip()
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        state = msgspec.json.decode(line, type=RateState)
        return state if checksum == b"%08x" % zlib.crc32(line) else None
    return None
