"""The pace after refusals: against vendors of every kind it obeys, slows down, recovers and never collapses."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_assets.extract.http.pace import FREE, RECOVERY, SLOWEST, Pace, Refusal, RequestHistory

_TRIES = 4


class Vendor(Protocol):
    """Decides on each request."""

    def wait(self, now: float) -> float | None:
        """Return how long the client is sent away, or ``None`` where the request is accepted."""


@dataclass
class EveryNth:
    """Refuses by count, whatever the pace."""

    nth: int
    seconds: float = 1.0
    asked: int = 0

    def wait(self, now: float) -> float | None:
        self.asked += 1
        return None if self.asked % self.nth else self.seconds


@dataclass
class Bucket:
    """Refills so many tokens per second and holds no more than its size."""

    per_second: float
    size: float
    seconds: float
    tokens: float = -1.0
    filled: float = 0.0

    def wait(self, now: float) -> float | None:
        before = self.size if self.tokens < 0 else self.tokens + (now - self.filled) * self.per_second
        self.tokens, self.filled = min(self.size, before), now
        if self.tokens < 1 - 1e-9:
            return self.seconds
        self.tokens -= 1
        return None


@dataclass
class Counter:
    """Counts by the period of the clock and says when the next one begins."""

    quota: int
    period: float
    counts: dict[int, int] = field(default_factory=dict)

    def wait(self, now: float) -> float | None:
        number = int(now // self.period)
        self.counts[number] = self.counts.get(number, 0) + 1
        return None if self.counts[number] <= self.quota else (number + 1) * self.period - now


@dataclass
class Outcome:
    """How a simulated run went."""

    seconds: float
    refused: int
    given_up: int


class Run:
    """A client with eight requests in flight, simulated on a clock of its own."""

    def __init__(self, vendor: Vendor, latency: float = 0.02) -> None:
        self.vendor, self.latency, self.now = vendor, latency, 0.0
        self.pace, self.history = Pace(), RequestHistory()
        self.not_before = self.last = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._waiting: deque[int] = deque()
        self._free, self._number = 8, 0
        self.outcome = Outcome(0.0, 0, 0)

    def send(self, requests: int) -> Outcome:
        """Send requests and return how it went when the last one was answered or given up."""
        begun, self.outcome = self.now, Outcome(0.0, 0, 0)
        self._waiting.extend([1] * requests)
        self._start()
        while self._events:
            self.now, _, happen = heapq.heappop(self._events)
            happen()
        self.outcome.seconds = self.now - begun
        return self.outcome

    def _at(self, moment: float, happen: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (moment, self._number, happen))

    def _start(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._depart(self._waiting.popleft())

    def _depart(self, attempt: int) -> None:
        self.last = moment = self.pace.next_departure(max(self.now, self.not_before), self.last)
        lessons = self.outcome.refused
        self._at(moment, lambda: self._leave(attempt, moment, lessons))

    def _leave(self, attempt: int, moment: float, lessons: int) -> None:
        if lessons != self.outcome.refused:
            self._depart(attempt)
            return
        self.history.sent(moment)
        wait = self.vendor.wait(self.now)
        self._at(self.now + self.latency, lambda: self._answered(attempt, moment, wait))

    def _answered(self, attempt: int, moment: float, wait: float | None) -> None:
        self._free += 1
        if wait is not None:
            self.outcome.refused += 1
            self.pace = self.pace.after(self.history.refusal(moment, self.now, wait, self.pace))
            self.not_before = max(self.not_before, self.now + wait)
            self.last = min(self.last, self.now)
            if attempt < _TRIES:
                self._at(self.now + wait, lambda: self._again(attempt + 1))
            else:
                self.outcome.given_up += 1
        self._start()

    def _again(self, attempt: int) -> None:
        self._waiting.append(attempt)
        self._start()


@pytest.mark.parametrize(
    ("vendor", "requests", "seconds", "refused"),
    [
        (EveryNth(23), 268, 35, 12),
        (EveryNth(23), 2000, 400, 90),
        (EveryNth(23, 2.0), 268, 60, 12),
        (EveryNth(1000), 2000, 20, 2),
        (Bucket(2, 10, 1), 300, 150, 45),
        (Bucket(2, 1, 1), 300, 220, 45),
        (Bucket(1, 1, 4), 300, 500, 60),
        (Bucket(20, 20, 1), 2000, 110, 40),
        (Counter(60, 60), 600, 600, 25),
        (Counter(10, 1), 1000, 115, 45),
        (Counter(100, 10), 1000, 110, 30),
    ],
)
def test_vendors_of_every_kind_are_read_to_the_end(vendor: Vendor, requests: int, seconds: float, refused: int) -> None:
    outcome = Run(vendor).send(requests)
    assert outcome.seconds <= seconds
    assert outcome.refused <= refused
    assert outcome.given_up == 0


@pytest.mark.parametrize("vendor", [EveryNth(3), Bucket(0.3, 1, 1), Counter(3, 60), Bucket(5, 5, 0.5)])
def test_a_minute_after_the_server_is_well_the_old_pace_is_back(vendor: Vendor) -> None:
    run = Run(vendor)
    run.send(60)
    run.vendor = EveryNth(10**9)
    run.not_before = min(run.not_before, run.now)
    run.now = max(run.now, run.pace.since)
    assert run.send(4000).seconds <= FREE + 4000 / 8 * 0.02 + 1
    assert run.send(400).seconds == pytest.approx(400 / 8 * 0.02)


def test_two_stray_refusals_a_day_apart_cost_their_waits_only() -> None:
    run = Run(EveryNth(30))
    for _ in range(5):
        assert run.send(30).seconds < 5
        run.now += 86_400
        assert run.pace.rate(run.now) == math.inf


def test_several_refusals_of_one_moment_are_one_lesson() -> None:
    history, pace = RequestHistory(), Pace()
    for moment in range(20):
        history.sent(moment * 0.1)
    paces = []
    for departure in (1.7, 1.8, 1.9):
        pace = pace.after(history.refusal(departure, 2.0, 5.0, pace))
        paces.append((pace.slowed, pace.refused))
    assert len(set(paces)) == 1
    assert pace.since == 7.0


def test_a_refusal_after_a_few_requests_teaches_no_pace() -> None:
    history = RequestHistory()
    history.sent(0.0)
    history.sent(0.1)
    assert Pace().after(history.refusal(0.1, 0.2, 30.0, Pace())).rate(31) == math.inf


def test_the_rate_grows_evenly_to_the_refused_one_and_then_without_limit() -> None:
    pace = Pace(slowed=2.0, refused=4.0, since=100.0)
    assert [pace.rate(100 + age) for age in (-5, 0, RECOVERY / 2, RECOVERY)] == [2.0, 2.0, 3.0, 4.0]
    assert pace.rate(100 + RECOVERY + 5) == pytest.approx(8.0)
    assert pace.rate(100 + FREE) == math.inf


_RATES = st.floats(SLOWEST, 1000)


@given(
    st.builds(Pace, _RATES, _RATES, st.floats(0, 1e10)),
    st.floats(-100, 100),
    st.floats(0, 3600),
    st.floats(0.001, 1e4) | st.just(math.inf),
    st.floats(0, 1e4),
    st.booleans(),
)
def test_whatever_is_refused_the_pace_stays_within_its_bounds(
    pace: Pace, age: float, wait: float, sent: float, accepted: float, rare: bool
) -> None:
    departure = pace.since + age
    after = pace.after(Refusal(departure, departure + wait, sent, accepted, rare))
    assert after.slowed == 0 or after.slowed >= SLOWEST
    assert after.rate(after.since + FREE + 0.001) == math.inf
    assert after.rate(after.since) <= max(pace.rate(departure), SLOWEST) or departure < pace.since


@given(st.lists(st.tuples(st.floats(0, 30), st.none() | st.floats(0, 120)), min_size=1, max_size=200))
@settings(deadline=None, max_examples=200)
def test_random_answers_never_stop_a_run_for_longer_than_they_ask(answers: list[tuple[float, float | None]]) -> None:
    pace, history, now, last, not_before = Pace(), RequestHistory(), 0.0, 0.0, 0.0
    for idle, wait in answers:
        now += idle
        moment = pace.next_departure(max(now, not_before), last)
        assert moment <= max(now, not_before) + 1 / SLOWEST
        now = last = max(now, moment)
        history.sent(moment)
        if wait is not None:
            pace = pace.after(history.refusal(moment, now, wait, pace))
            not_before = max(not_before, now + wait)
