"""When the next request of a connection may leave: what all its runs agree on, and what is said of it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TypeVar

from filelock import Timeout

from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.pace import FREE, Pace, RequestHistory
from crm_assets.extract.http.rate_file import RateFile
from crm_assets.extract.http.rate_state import LONGEST, Rates, RateStore
from crm_assets.extract.progress import SayFn, say_nothing

_Result = TypeVar("_Result")
LONGEST_WAIT = 900.0
"""Longest wait a server may ask a run for, in seconds; a run that would have to wait longer fails."""
_WORTH_SAYING = 1.0
"""Seconds from which a wait is announced."""
_LATE, _PUNCTUAL = 0.1, 0.005
"""Parts of the vendor's period by which a request may leave after its turn: later it would meet those behind it, and
even less is noted, for the next one in its place to come a whole period later."""
_LOCK_POLL = 0.005, 0.1
"""Seconds between two tries to take the lock of another process, which holds it for microseconds: first and longest."""


def steady_clock() -> Callable[[], float]:
    """Return a clock that gives seconds since the epoch and never goes back, whatever is done to the system's."""
    offset = time.time() - time.monotonic()
    return lambda: time.monotonic() + offset


class RateLimiter:
    """The rate of one connection.

    Without a published figure and before the first refusal there is nothing to agree on, and no request waits.

    Args:
        path: The file all runs of the connection on this machine share; its name is the connection's.
        limit: The vendor's published figure, if any.
        clock: Seconds since the epoch; by default one that never goes back.
        say: Told what is waited for.
        open_store: Makes what all runs share of path and limit, where that is not the file.
    """

    def __init__(
        self,
        path: Path,
        limit: RateLimit | None,
        clock: Callable[[], float] | None = None,
        say: SayFn = say_nothing,
        open_store: Callable[[Path, RateLimit | None], RateStore] = RateFile,
    ) -> None:
        self._store = open_store(path, limit)
        self._clock = clock or steady_clock()
        self._history = RequestHistory()
        self._pace = Pace()
        self._not_before = 0.0
        self._lessons = 0
        self._tolerance = limit.seconds * _LATE if limit else math.inf
        self._punctual = limit.seconds * _PUNCTUAL if limit else math.inf
        self.say = say

    async def acquire(self) -> tuple[float, float]:
        """Wait until a request may leave; return its departure and the seconds waited.

        Raises:
            ReadError: The server asked to stay away for longer than a run waits.
        """
        waited = 0.0
        while True:
            (moment, number), lessons = await self._without_blocking(self._reserved), self._lessons
            wait = max(moment - self._clock(), 0.0)
            if wait >= _WORTH_SAYING:
                self.say("rate", self._reason(wait))
            if wait:
                await asyncio.sleep(wait)
            waited += wait
            late = self._clock() - moment > self._tolerance and waited < LONGEST_WAIT
            if lessons == self._lessons and not late:  # else another request was refused, or this machine was busy
                if self._clock() - moment > self._punctual:
                    await self._without_blocking(partial(self._left, number))
                self._history.sent(moment)
                return moment, waited

    async def throttled(self, departure: float, wait: float) -> None:
        """Take a refusal (429): nothing leaves while the server wants it so, and afterwards more slowly.

        Args:
            departure: When the refused request left, as :meth:`acquire` returned it.
            wait: Seconds to stay away; no more than :data:`~.rate_state.LONGEST` of them are kept.
        """
        await self._without_blocking(partial(self.slow_down, departure, wait))

    async def pause(self, seconds: float) -> None:
        """Let nothing leave for a while, as the header of an answer asks; no longer than a run waits."""
        await self._without_blocking(partial(self.hold, min(seconds, LONGEST_WAIT)))

    async def sleep(self, seconds: float, reason: str) -> None:
        """Wait before a retry, and say so if it takes long."""
        if seconds >= _WORTH_SAYING:
            self.say("retry", f"waiting {spell_seconds(seconds)} for a retry: {reason}")
        await asyncio.sleep(seconds)

    def reserve(self, *, block: bool = True) -> float:
        """Take the next free moment (seconds since the epoch) and return it.

        Args:
            block: Whether to wait for another process that holds the state.

        Raises:
            ReadError: The server asked to stay away for longer than a run waits.
            filelock.Timeout: Another process holds the state.
        """
        return self._reserved(block=block)[0]

    def _reserved(self, *, block: bool) -> tuple[float, int]:
        """Return the next free moment, and how many departures were reserved before."""
        now = self._clock()
        if not self._store.is_needed:
            return now, 0
        with self._store.open(now, block=block) as rates:
            self._note(rates)
            too_long, number = self._not_before - now > LONGEST_WAIT, rates.state.count
            moment = now if too_long else rates.reserve(now)
        if too_long:
            raise stay_away(self._not_before)
        return moment, number

    def _left(self, number: int, *, block: bool) -> None:
        now = self._clock()
        with self._store.open(now, block=block) as rates:
            rates.left(number, now)

    def slow_down(self, departure: float, wait: float, *, block: bool = True) -> None:
        """Do what :meth:`throttled` does, at once."""
        now, wait = self._clock(), min(max(wait, 0.0), LONGEST)
        with self._store.open(now, block=block) as rates:
            state = rates.state
            state.refusals = 1 if departure - state.pace.since > FREE else state.refusals + 1
            state.pace = state.pace.after(self._history.refusal(departure, now, wait, state.pace))
            rates.hold(now + wait, now)
            self._note(rates)
            self._lessons += 1
        if state.pace.slowed:
            self.say("pace", f"slowed to {spell_rate(state.pace.slowed)} after {state.refusals} × 429")

    def hold(self, seconds: float, *, block: bool = True) -> None:
        """Do what :meth:`pause` does, at once."""
        now = self._clock()
        with self._store.open(now, block=block) as rates:
            rates.hold(now + seconds, now)
            self._note(rates)
            self._lessons += 1

    async def _without_blocking(self, action: Callable[..., _Result]) -> _Result:
        """Do something with the state, however long another process holds it, and leave the event loop to others."""
        pause, longest = _LOCK_POLL
        begun = self._clock()
        while True:
            with suppress(Timeout):
                return action(block=False)
            if self._clock() - begun >= _WORTH_SAYING:
                self.say("lock", f"waiting for another process that holds {self._store.place}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)

    def _note(self, rates: Rates) -> None:
        self._pace, self._not_before = rates.state.pace, rates.state.not_before

    def _reason(self, wait: float) -> str:
        limit, now = self._store.limit, self._clock()
        seconds = spell_seconds(wait)
        if self._not_before > now:
            return f"waiting {seconds}: the server asks for no request before {_time_of_day(self._not_before)} UTC"
        if self._pace.rate(now) < math.inf:
            return f"waiting {seconds} for the next turn: slowed to {spell_rate(self._pace.rate(now))}"
        figure = f"{limit.requests} {'requests' if limit.requests > 1 else 'request'} per {limit.per}" if limit else ""
        return f"waiting {seconds} for the rate limit of {figure}"


def stay_away(until: float) -> ReadError:
    """Return the error of a server that wants no request before a moment (seconds since the epoch) far away."""
    moment = datetime.fromtimestamp(until, timezone.utc).isoformat(" ", "minutes").removesuffix("+00:00")
    return ReadError(f"the server accepts no requests until {moment} UTC; run again after that", status=429)


def spell_rate(rate: float) -> str:
    """Return a rate in words, such as ``1 request per 2.4 s``."""
    return f"{rate:.3g} requests per second" if rate >= 2 else f"1 request per {spell_seconds(1 / rate)}"


def spell_seconds(seconds: float) -> str:
    """Return a time in words, such as ``2.4 s`` or ``12 min``."""
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _time_of_day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, timezone.utc):%H:%M:%S}"
