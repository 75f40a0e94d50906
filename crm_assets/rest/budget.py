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

from crm_assets.rest.errors import ReadError
from crm_assets.spec.system import RateLimit

_HEADER = struct.Struct("<ddddQQQ")
_TIME = struct.Struct("<d")
_MARGIN = 1.01
"""The period is kept a little longer than published: departures are even, arrivals jitter."""
_ENOUGH = 10
"""Accepted requests between two 429s from which a pace can be told."""
_PROBE_EVERY, _PROBE = 100, 0.97
_SLOWER = 1.02
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
    refused: int = 0


class RateBudget:
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
        self._stretch = (0.0, 0)

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
            if state.gap and (state.count - state.since_count) % _PROBE_EVERY == 0:
                state.gap *= _PROBE
        return moment

    def refused(self, departure: float, retry_after: float) -> None:
        """Take a 429: nothing leaves for ``retry_after`` seconds, and never again faster than what was accepted.

        Args:
            departure: When the refused request left, as :meth:`departure` told.
            retry_after: Seconds to stay away.
        """
        now = self._clock()
        with self._state() as (state, _):
            if departure >= state.since:
                begun, after = state.since or self._started, now + retry_after
                self._stretch = after - begun, state.count - state.since_count + self._unpaced
                state.since, state.since_count, state.refused, self._unpaced = after, state.count, 0, 0
            state.refused += 1
            state.not_before = max(state.not_before, now + retry_after)
            state.gap = max(state.gap, self._found_gap(state.refused))

    def pause(self, seconds: float) -> None:
        """Let nothing leave for a while, as a rate-limit header asks."""
        with self._state() as (state, _):
            state.not_before = max(state.not_before, self._clock() + seconds)

    def _found_gap(self, refused: int) -> float:
        seconds, sent = self._stretch
        accepted = sent - refused
        return seconds / accepted * _SLOWER if accepted >= _ENOUGH else 0.0

    def _within(self, limit: RateLimit, moment: float, state: _State, file: IO[bytes]) -> float:
        slot = _HEADER.size + state.count % limit.requests * _TIME.size
        file.seek(slot)
        oldest = file.read(_TIME.size)
        if len(oldest) == _TIME.size:
            moment = max(moment, _TIME.unpack(oldest)[0] + limit.seconds * _MARGIN)
        moment = max(moment, state.last + limit.seconds / limit.requests / 2)
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


def stay_away(until: float) -> ReadError:
    """Return the error of a server that wants no request before a moment (seconds since the epoch) far away."""
    moment = datetime.fromtimestamp(until, timezone.utc).isoformat(" ", "minutes").removesuffix("+00:00")
    return ReadError(f"the server asks to stay away until {moment} UTC; run it again after that")
