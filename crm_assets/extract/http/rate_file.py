"""The file in which all runs on a machine agree on the rate of a connection.

It begins with a line of JSON behind its checksum: the pace (:mod:`~crm_assets.extract.http.pace`), the moment before
which nothing leaves, and the last departure. Where the vendor publishes a figure, the departures of as many requests
follow in a ring, so that no span of the vendor's period ever holds more.

Between runs neither clocks nor numbers are trusted. A file that was written in the future was written by a clock that
has been set back since: all its moments are moved by the difference. What would keep an account waiting for longer than
:data:`LONGEST` is cut to that, what is older is forgotten, and a file that is not of this format begins anew.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Literal

import msgspec
from filelock import FileLock

from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.http.pace import FREE, SLOWEST, Pace

LONGEST = 3600.0
"""Seconds after which everything is forgotten, a server's request to stay away included: then it is asked again."""
_TOLERANCE = 1.0
"""Seconds by which the clocks of two processes may differ without one having been set back."""
_MARGIN = 1.01
"""The period is kept a little longer than published: departures are even, arrivals jitter."""
_EVENLY, _LOOSELY = {"second": 1.0}, 0.1
"""How evenly requests leave: a figure per second is often a bucket of few tokens, one per minute a counter."""
_HEADER = 512
"""Bytes of the first line, filled up with blanks: twice what its longest numbers need."""
_MOMENT = struct.Struct("<d")


@dataclass
class RateState:
    """What the file says; moments are seconds since the epoch."""

    format: Literal["rate 1"] = "rate 1"
    written: float = 0.0
    """When it was written."""
    not_before: float = 0.0
    """Nothing leaves before that moment."""
    last: float = 0.0
    """The last departure."""
    pace: Pace = field(default_factory=Pace)
    refusals: int = 0
    """Refusals since the server was well."""
    count: int = 0
    """Departures since the ring began; modulo its length the place of the next one."""
    ring: int = 0
    """Number of places in the ring."""

    def healed(self, now: float) -> RateState:
        """Return the state as far as it can be believed at a moment."""
        back = self.written - now
        state = self._moved(-back) if back > _TOLERANCE else self
        pace, farthest = state.pace, now + LONGEST
        if not SLOWEST <= pace.slowed <= pace.refused or not now - LONGEST < pace.since <= farthest:
            pace = Pace(since=min(pace.since, now))
        return replace(
            state,
            not_before=min(state.not_before, farthest),
            pace=pace,
            refusals=state.refusals if pace.since > now - LONGEST else 0,
            count=max(state.count, 0),
        )

    def is_past(self, now: float) -> bool:
        """Return whether nothing of it matters any more."""
        return max(self.not_before, self.pace.since) < now - FREE

    def _moved(self, seconds: float) -> RateState:
        return replace(
            self,
            written=self.written + seconds,
            not_before=self.not_before + seconds,
            last=self.last + seconds,
            pace=replace(self.pace, since=self.pace.since + seconds),
        )


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
    def is_needed(self) -> bool:
        """Whether there is anything to agree on."""
        return self.limit is not None or self.path.exists()

    @contextmanager
    def open(self, now: float, *, block: bool) -> Iterator[OpenRateFile]:
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
                rates = OpenRateFile(file, self.limit, now)
                yield rates
                rates.write(now)
            if self.limit is None and rates.state.is_past(now):
                self.path.unlink()


class OpenRateFile:
    """The file while it is held: its state, and the ring behind it."""

    def __init__(self, file: IO[bytes], limit: RateLimit | None, now: float) -> None:
        self._file = file
        self._limit = limit
        state = _unpacked(file.read(_HEADER))
        if state is None:
            file.truncate(0)
            state = RateState()
        self.state = state.healed(now)
        moved = self.state.written - state.written
        if limit and (moved or self.state.ring != limit.requests):
            self._rewrite_ring(limit.requests, moved)

    def reserve(self, now: float) -> float:
        """Take the next free moment and return it."""
        state = self.state
        moment = state.pace.next_departure(max(now, state.not_before), state.last)
        if self._limit:
            moment = max(moment, state.last + spread(self._limit))
            moment = max(moment, self._oldest() + self._limit.seconds * _MARGIN)
            self._file.seek(_HEADER + state.count % state.ring * _MOMENT.size)
            self._file.write(_MOMENT.pack(moment))
        state.last = moment
        state.count += 1
        return moment

    def hold(self, until: float, now: float) -> None:
        """Let nothing leave before a moment; what was reserved for later is reserved anew after that."""
        self.state.not_before = max(self.state.not_before, until)
        if self._limit is None:
            self.state.last = min(self.state.last, now)

    def write(self, now: float) -> None:
        """Write the state."""
        self.state.written = now
        self._file.seek(0)
        self._file.write(_packed(self.state))

    def _oldest(self) -> float:
        """Return the departure one ring ago."""
        self._file.seek(_HEADER + self.state.count % self.state.ring * _MOMENT.size)
        return self._believed(self._file.read(_MOMENT.size))

    def _rewrite_ring(self, places: int, moved: float) -> None:
        """Give the ring another length, keep its newest departures, and move all of them."""
        self._file.seek(_HEADER)
        content = self._file.read()
        whole = range(0, len(content) - len(content) % _MOMENT.size, _MOMENT.size)
        kept = sorted(self._believed(content[at : at + _MOMENT.size], moved) for at in whole)[-places:]
        self._file.truncate(_HEADER)
        self._file.seek(_HEADER)
        self._file.write(b"".join(map(_MOMENT.pack, kept)))
        self.state.ring, self.state.count = places, len(kept)

    def _believed(self, packed: bytes, moved: float = 0.0) -> float:
        """Return a departure of the ring; none was later than the last one."""
        moment = _MOMENT.unpack(packed)[0] + moved if len(packed) == _MOMENT.size else 0.0
        return min(moment, self.state.last) if math.isfinite(moment) else self.state.last


def _packed(state: RateState) -> bytes:
    line = msgspec.json.encode(state)
    return b"%08x %s" % (zlib.crc32(line), line.ljust(_HEADER - 10)) + b"\n"


def _unpacked(header: bytes) -> RateState | None:
    """Return what the first line says, or ``None`` where it is damaged or of another format."""
    checksum, _, line = header.partition(b" ")
    line = line.rstrip()
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        state = msgspec.json.decode(line, type=RateState)
        return state if checksum == b"%08x" % zlib.crc32(line) else None
    return None


def spread(limit: RateLimit) -> float:
    """Return the least seconds between two departures under a vendor's figure."""
    return limit.seconds / limit.requests * _EVENLY.get(limit.per, _LOOSELY)
