"""The pace after "too many requests": additive increase, multiplicative decrease, and nothing remembered for long.

The algorithm, in the order in which things happen:

1. **Obey.** After a refusal nothing leaves until the wait the server asked for is over. Refusals of requests that had
   left before the pace changed belong to the same lesson: they lengthen the wait and change nothing else.
2. **Spare the well.** A refusal that comes after a long undisturbed run, measured by the wait itself, costs the wait
   and nothing more: quotas shared with others refuse now and then, whatever the pace.
3. **Halve.** Otherwise the rate drops to half, or to what the server demonstrably accepted in the last minute (waits
   included) where that is known better: at first the lower of the two, when slowed already the higher.
4. **Recover.** From the end of the wait on the rate grows evenly and is back at the refused one after
   :data:`RECOVERY`; then it doubles every :data:`DOUBLING`, and after :data:`FREE` there is no limit any more.

Everything here is a value or a sum over the last minute; clocks, files and locks are the business of
:mod:`~crm_assets.extract.http.rate_file`. Moments are seconds on one clock, rates are requests per second.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

RECOVERY = 30.0
"""Seconds until the refused rate is back: half of the minute in which all has to be as before."""
DOUBLING = 5.0
"""Seconds in which the rate doubles beyond the refused one: six doublings until there is no limit any more."""
FREE = 60.0
"""Seconds after which a server that refused nothing is taken to be well."""
SLOWEST = 0.1
"""Lowest rate a refusal leads to, in requests per second; longer waits are the server's to ask for."""
FASTEST = 1000.0
"""Rates above count as unlimited: one process does not send faster."""
ENOUGH = 10
"""Requests from which a rate can be measured, or a run be called undisturbed."""
RARE = 3.0
"""An undisturbed run is this many times longer than the wait behind it: waits take a quarter of the time at most."""
DEEPEST = 8.0
"""Greatest factor of one slow-down: what was accepted in a second or two may be a bucket's rest."""
GENTLEST = 0.9
"""Least slow-down: a refusal never leaves the rate as it was, whatever was accepted before."""
MEASURED = 10.0
"""Seconds over which the rate of a run without a limit is measured."""
MEMORY = 60.0
"""Seconds over which accepted requests are counted."""
_REMEMBERED = 4096
"""Departures kept for measuring; at higher rates the window is shorter, and the rate as true."""


@dataclass(frozen=True)
class Pace:
    """A limit that was learned from refusals and fades."""

    slowed: float = 0.0
    """Rate right after the last refusal; 0 means unlimited."""
    refused: float = 0.0
    """Rate that was refused last."""
    since: float = 0.0
    """Moment from which it recovers: the end of the last wait."""

    def rate(self, now: float) -> float:
        """Return the greatest rate at a moment, infinite where there is no limit."""
        age = now - self.since
        if not self.slowed or age >= FREE:
            return math.inf
        if age <= RECOVERY:
            return self.slowed + (self.refused - self.slowed) * max(age, 0.0) / RECOVERY
        rate = self.refused * 2 ** ((age - RECOVERY) / DOUBLING)
        return rate if rate < FASTEST else math.inf

    def next_departure(self, now: float, last: float) -> float:
        """Return the first moment for a request, when the one before left or leaves at ``last``."""
        return max(now, last + 1 / self.rate(max(now, last)))

    def after(self, refusal: Refusal) -> Pace:
        """Return the pace that follows a refusal."""
        if refusal.departure < self.since:
            return Pace(self.slowed, self.refused, max(self.since, refusal.wait_ends))
        before = self.rate(refusal.departure)
        rate = max(refusal.sent_rate if before == math.inf else before, SLOWEST)
        if rate == math.inf or refusal.is_rare:
            kept = 0.0 if before == math.inf else rate
            return Pace(kept, kept, refusal.wait_ends)
        if before == math.inf:
            slowed = min(rate / 2, max(refusal.accepted_rate, rate / DEEPEST))
        else:
            slowed = max(rate / 2, min(refusal.accepted_rate, rate * GENTLEST))
        return Pace(max(slowed, SLOWEST), rate, refusal.wait_ends)


@dataclass(frozen=True)
class Refusal:
    """What is known when a request was refused."""

    departure: float
    """When it left."""
    wait_ends: float
    """Until when nothing leaves."""
    sent_rate: float
    """Rate measured before it left; infinite if too little was sent to measure."""
    accepted_rate: float
    """Requests accepted per second in the last minute, this wait included."""
    is_rare: bool
    """Whether a long undisturbed run came before it."""


class RequestHistory:
    """What this process sent in the last minute, and what of it was refused."""

    def __init__(self) -> None:
        self._sent: deque[float] = deque(maxlen=_REMEMBERED)
        self._refused: deque[float] = deque(maxlen=_REMEMBERED)

    def sent(self, moment: float) -> None:
        """Note a departure; moments do not decrease."""
        self._sent.append(moment)
        for moments in (self._sent, self._refused):
            while moments and moments[0] < moment - MEMORY:
                moments.popleft()

    def refusal(self, departure: float, now: float, wait: float, pace: Pace) -> Refusal:
        """Note that a request was refused, and return what is known of it.

        Args:
            departure: When it left.
            now: When the refusal came.
            wait: Seconds for which nothing leaves.
            pace: The pace at that time.
        """
        self._refused.append(departure)
        before = [moment for moment in self._sent if moment <= departure] or [departure]
        recent = [moment for moment in before if moment > departure - MEASURED]
        enough = len(recent) >= ENOUGH and departure > recent[0]
        begun = max(before[0], pace.since) if pace.since <= departure else before[0]
        undisturbed = sum(moment >= begun for moment in before)
        accepted = len(before) - sum(moment >= before[0] for moment in self._refused)
        return Refusal(
            departure,
            now + wait,
            (len(recent) - 1) / (departure - recent[0]) if enough else math.inf,
            max(accepted, 0) / max(now + wait - before[0], 1 / FASTEST),
            undisturbed >= ENOUGH and departure - begun > RARE * max(wait, 1.0),
        )
