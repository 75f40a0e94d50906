"""What all runs of a connection agree on about its rate, wherever it is kept.

That is the pace (:mod:`~crm_assets.extract.http.pace`), the moment before which nothing leaves, and the last departure.
Where the vendor publishes a figure, the departures of as many requests follow in a ring, so that no period of the
vendor's period ever holds more.

Between runs neither clocks nor numbers are trusted. A state that was written in the future was written by a clock that
has been set back since: all its moments are moved by the difference. What would keep an account waiting for longer than
:data:`LONGEST` is cut to that, and what is older is forgotten.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

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


@dataclass
class RateState:
    """What is kept; moments are seconds since the epoch."""

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
        state = self.moved(-back) if back > _TOLERANCE else self
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

    def moved(self, seconds: float) -> RateState:
        """Return the same state by another clock."""
        return replace(
            self,
            written=self.written + seconds,
            not_before=self.not_before + seconds,
            last=self.last + seconds,
            pace=replace(self.pace, since=self.pace.since + seconds),
        )


class Ring(Protocol):
    """The newest departures, in places that are written in turn."""

    def at(self, place: int) -> float:
        """Return the departure in a place; 0 where there is none."""

    def put(self, place: int, moment: float) -> None:
        """Keep a departure in a place."""

    def all(self) -> list[float]:
        """Return all departures."""

    def replace(self, moments: list[float]) -> None:
        """Keep these in place of all others, from the first place on."""


class Rates:
    """The state while this process holds it, and its ring."""

    def __init__(self, state: RateState | None, ring: Ring, limit: RateLimit | None, now: float) -> None:
        self._ring = ring
        self._limit = limit
        if state is None:
            ring.replace([])
            state = RateState()
        self.state = state.healed(now)
        moved = self.state.written - state.written
        if limit and (moved or self.state.ring != limit.requests):
            self._resize(limit.requests, moved)

    def reserve(self, now: float) -> float:
        """Take the next free moment and return it."""
        state = self.state
        moment = state.pace.next_departure(max(now, state.not_before), state.last)
        if self._limit:
            place = state.count % state.ring
            moment = max(moment, state.last + spread(self._limit))
            moment = max(moment, self._believed(self._ring.at(place)) + self._limit.seconds * _MARGIN)
            self._ring.put(place, moment)
        state.last = moment
        state.count += 1
        return moment

    def left(self, number: int, moment: float) -> None:
        """Note that a departure was later than reserved, so that a whole period passes until its place is used again.

        Args:
            number: The count of departures when it was reserved.
            moment: When it left.
        """
        state = self.state
        if self._limit and number < state.count <= number + state.ring:
            state.last = max(state.last, moment)
            self._ring.put(number % state.ring, moment)

    def hold(self, until: float, now: float) -> None:
        """Let nothing leave before a moment; what was reserved for later is reserved anew after that."""
        self.state.not_before = max(self.state.not_before, until)
        if self._limit is None:
            self.state.last = min(self.state.last, now)

    def _resize(self, places: int, moved: float) -> None:
        """Give the ring another length, keep its newest departures, and move all of them."""
        kept = sorted(self._believed(moment + moved) for moment in self._ring.all())[-places:]
        self._ring.replace(kept)
        self.state.ring, self.state.count = places, len(kept)

    def _believed(self, moment: float) -> float:
        """Return a departure of the ring; none was later than the last one."""
        return min(moment, self.state.last) if math.isfinite(moment) else self.state.last


class RateStore(Protocol):
    """Where the state of one connection is kept; all that may read the account share it."""

    @property
    def limit(self) -> RateLimit | None:
        """The vendor's published figure, if any."""

    @property
    def place(self) -> str:
        """What to call it in messages."""

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to agree on."""

    def open(self, now: float, *, block: bool) -> AbstractContextManager[Rates]:
        """Hold the state alone; what is changed is kept at the end.

        Args:
            now: The moment at which it is read, on this machine's clock; all moments inside are on it, too.
            block: Whether to wait for another process that holds it.

        Raises:
            filelock.Timeout: Another process holds it.
        """


def spread(limit: RateLimit) -> float:
    """Return the least seconds between two departures under a vendor's figure."""
    return limit.seconds / limit.requests * _EVENLY.get(limit.per, _LOOSELY)
