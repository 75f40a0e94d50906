"""The rate budget: when the next request of a connection may leave, agreed on by all runs on this machine.

A connection has one small file. It holds the departures of the last requests in a ring as long as the vendor's
figure, so that no span of the vendor's period ever holds more; the moment before which nothing leaves (Retry-After);
and the pace found from 429 answers, for vendors that publish no figure. A lock beside the file makes it one budget
for all processes, and being a file it outlives them. Without a figure it is made by the first 429.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from filelock import FileLock

from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.errors import ReadError

_HEADER = struct.Struct("<ddddQQdQ")
_TIME = struct.Struct("<d")
_MARGIN = 1.01
"""The period is kept a little longer than published: departures are even, arrivals jitter."""
_EVENLY, _LOOSELY = {"second": 1.0}, 0.1
"""How evenly requests leave: a figure per second is often a bucket of few tokens, one per minute a counter."""
_ENOUGH = 10
"""Requests before a 429 from which a first pace can be told."""
_CLIMB_EVERY, _CLIMB_SECONDS, _CLIMB = 8, 0.3, 0.8
"""While no pace was refused yet, it is quickened after so many requests and seconds: a bucket takes time to empty."""
_PROBE_EVERY, _PROBE, _SHY = 200, 0.97, 1.05
"""Afterwards it is probed now and then, never up to the pace that was refused."""
_SLOWER = 1.25
_ROOM, _LONG = 1.02, 10.0
"""The first pace gets a little room; told from so many seconds it is true, from fewer it is a first guess."""
_UNPACED = 0.001
PATIENCE = 900.0
"""Greatest number of seconds a server may send everybody away for; a run gives up rather than wait longer."""


@dataclass
class _State:
    not_before: float = 0.0
    gap: float = 0.0
    last: float = 0.0
    since: float = 0.0
    count: int = 0
    since_count: int = 0
    wall: float = 0.0
    """The gap that was refused last."""
    climbed: int = 0
    """Requests at the last change of a pace that was not refused yet."""

    def quicken(self) -> None:
        """Try a shorter gap, when it is time to."""
        done = self.count - self.since_count
        if self.gap and not self.wall and self.count - self.climbed >= max(_CLIMB_EVERY, _CLIMB_SECONDS / self.gap):
            self.gap = self.gap * _CLIMB if self.gap * _CLIMB > _UNPACED else 0.0
            self.climbed = self.count
        elif self.gap and self.wall and done % _PROBE_EVERY == 0:
            self.gap = max(self.gap * _PROBE, self.wall * _SHY)

    def slow_down(self, seconds: float, sent: int) -> None:
        """Take a longer gap than the refused one; the first is told from how much was sent in how many seconds."""
        self.climbed = self.count
        if self.gap:
            self.wall, self.gap = self.gap, self.gap * _SLOWER
        elif sent >= _ENOUGH or self.since:
            self.gap = seconds / max(sent - 1, 1) * _ROOM
            self.wall = self.gap / _SHY if seconds >= _LONG else 0.0


class RateLimiter:
    """The budget of one connection.

    Args:
        path: The budget's file.
        limit: The vendor's published figure, if any.
        clock: Seconds since the epoch.
    """

    def __init__(self, path: Path, limit: RateLimit | None, clock: Callable[[], float] = time.time) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._limit = limit
        self._clock = clock
        self._lock = FileLock(f"{path}.lock")
        self._started = clock()
        self._unpaced = 0

    async def departure(self) -> tuple[float, float]:
        """Wait until a request may leave; return its departure and the seconds waited."""
        moment = self.reserve()
        wait = max(moment - self._clock(), 0.0)
        if wait:
            await asyncio.sleep(wait)
        return moment, wait

    def reserve(self) -> float:
        """Take the next free moment (seconds since the epoch) and return it.

        Raises:
            ReadError: The server asked to stay away for longer than anybody should wait.
        """
        if self._limit is None and not self._path.exists():
            self._unpaced += 1
            return self._clock()
        with self._state() as (state, file):
            if state.not_before - self._clock() > PATIENCE:
                raise stay_away(state.not_before)
            moment = max(self._clock(), state.not_before, state.last + state.gap)
            if self._limit:
                moment = self._within(self._limit, moment, state, file)
            state.last = moment
            state.count += 1
            state.quicken()
        return moment

    def refused(self, departure: float, retry_after: float) -> None:
        """Take a 429: nothing leaves for ``retry_after`` seconds, and afterwards slower than what was refused.

        Args:
            departure: When the refused request left, as :meth:`departure` told.
            retry_after: Seconds to stay away.
        """
        now = self._clock()
        with self._state() as (state, _):
            if departure >= state.since:
                begun, after = state.since or self._started, now + retry_after
                state.slow_down(after - begun, state.count - state.since_count + self._unpaced)
                state.since, state.since_count, self._unpaced = after, state.count, 0
            state.not_before = max(state.not_before, now + retry_after)

    def pause(self, seconds: float) -> None:
        """Let nothing leave for a while, as a rate-limit header asks."""
        with self._state() as (state, _):
            state.not_before = max(state.not_before, self._clock() + seconds)

    def _within(self, limit: RateLimit, moment: float, state: _State, file: IO[bytes]) -> float:
        slot = _HEADER.size + state.count % limit.requests * _TIME.size
        file.seek(slot)
        oldest = file.read(_TIME.size)
        if len(oldest) == _TIME.size:
            moment = max(moment, _TIME.unpack(oldest)[0] + limit.seconds * _MARGIN)
        moment = max(moment, state.last + spread(limit))
        file.seek(slot)
        file.write(_TIME.pack(moment))
        return moment

    @contextmanager
    def _state(self) -> Iterator[tuple[_State, IO[bytes]]]:
        with self._lock:
            self._path.touch(mode=0o600)
            with self._path.open("r+b") as file:
                header = file.read(_HEADER.size)
                state = _State(*_HEADER.unpack(header)) if len(header) == _HEADER.size else _State()
                yield state, file
                file.seek(0)
                file.write(_HEADER.pack(*astuple(state)))


def spread(limit: RateLimit) -> float:
    """Return the least seconds between two departures under a vendor's figure."""
    return limit.seconds / limit.requests * _EVENLY.get(limit.per, _LOOSELY)


def stay_away(until: float) -> ReadError:
    """Return the error of a server that wants no request before a moment (seconds since the epoch) far away."""
    moment = datetime.fromtimestamp(until, timezone.utc).isoformat(" ", "minutes").removesuffix("+00:00")
    return ReadError(f"the server asks to stay away until {moment} UTC; run it again after that")
