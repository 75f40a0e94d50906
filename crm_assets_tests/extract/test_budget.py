"""The rate budget: never more than the vendor's figure, whoever asks, and a pace found where there is no figure."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.http.rate_limiter import RateLimiter

START = 1_800_000_000.0


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def most_in_any(period: float, moments: list[float]) -> int:
    """Return the greatest number of moments in any half-open span of that length."""
    ordered = sorted(moments)
    return max(sum(first <= moment < first + period for moment in ordered) for first in ordered)


@given(
    st.integers(1, 12),
    st.sampled_from(["second", "minute", "hour"]),
    st.lists(st.floats(0, 400) | st.just(0.0), min_size=1, max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_no_span_of_the_period_ever_holds_more_than_the_figure(requests: int, per: str, gaps: list[float]) -> None:
    limit = RateLimit.model_validate({"requests": requests, "per": per})
    clock = Clock()
    with TemporaryDirectory() as folder:
        budget = RateLimiter(Path(folder) / "budget", limit, clock)
        moments = []
        for gap in gaps:
            clock.now += gap
            moments.append(budget.reserve())
            assert moments[-1] >= clock.now
    assert moments == sorted(moments)
    assert most_in_any(limit.seconds, moments) <= requests


@pytest.mark.parametrize(("requests", "per"), [(1, "second"), (100, "minute"), (5000, "day")])
def test_the_figure_is_used_up_to_a_hundredth(requests: int, per: str, tmp_path: Path) -> None:
    limit = RateLimit.model_validate({"requests": requests, "per": per})
    budget = RateLimiter(tmp_path / "budget", limit, Clock())
    moments = [budget.reserve() for _ in range(requests * 2 + 1)]
    assert moments[0] == START
    assert moments[requests] == pytest.approx(START + limit.seconds * 1.01)
    assert moments[-1] == pytest.approx(START + limit.seconds * 2.02)


def test_requests_do_not_leave_in_one_burst(tmp_path: Path) -> None:
    budget = RateLimiter(tmp_path / "budget", RateLimit(requests=10, per="second"), Clock())
    moments = [budget.reserve() for _ in range(10)]
    assert [later - moments[0] for later in moments] == pytest.approx([index * 0.1 for index in range(10)])


_TAKE = """
import sys
from pathlib import Path
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.declarations.models.system import RateLimit

budget = RateLimiter(Path(sys.argv[1]), RateLimit(requests=20, per="second"))
sys.stdin.readline()
print("\\n".join(repr(budget.reserve()) for _ in range(int(sys.argv[2]))))
"""


_HOLD = """
import sys, time
from filelock import FileLock

FileLock(sys.argv[1]).acquire()
print(1, flush=True)
time.sleep(60)
"""


def test_processes_share_one_budget(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _TAKE, str(tmp_path / "budget"), "100"]
    takers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write("go\n")
        taker.stdin.flush()
    taken = [[float(line) for line in taker.communicate()[0].split()] for taker in takers]
    moments = [moment for one in taken for moment in one]
    assert [len(one) for one in taken] == [100, 100, 100]
    assert most_in_any(1.0, moments) == 20
    assert len(set(moments)) == 300
    assert max(moments) - min(moments) == pytest.approx(300 / 20 * 1.01, rel=0.1)


def test_a_killed_process_holds_nobody_up(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, f"{tmp_path / 'budget'}.lock"], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "1\n"
    holder.kill()
    holder.communicate()
    assert RateLimiter(tmp_path / "budget", RateLimit(requests=1), Clock()).reserve() == START


def test_a_budget_outlives_its_process(tmp_path: Path) -> None:
    limit, clock = RateLimit(requests=3, per="minute"), Clock()
    before = [RateLimiter(tmp_path / "budget", limit, clock).reserve() for _ in range(2)]
    clock.now += 5
    after = [RateLimiter(tmp_path / "budget", limit, clock).reserve() for _ in range(4)]
    assert after[0] == max(before[1] + 2, clock.now)
    assert most_in_any(60, before + after) == 3


def test_departure_waits_until_the_reserved_moment(tmp_path: Path) -> None:
    budget = RateLimiter(tmp_path / "budget", RateLimit(requests=2, per="second"))

    async def run() -> list[tuple[float, float, float]]:
        return [(*await budget.departure(), time.time()) for _ in range(3)]

    left = asyncio.run(run())
    assert left[0][1] == 0.0
    for moment, waited, now in left:
        assert 0 <= now - moment < 0.2
        assert waited <= 1.01
    assert left[2][0] - left[0][0] == pytest.approx(1.01)


def test_the_file_is_the_owners_alone_and_holds_numbers_only(tmp_path: Path) -> None:
    path = tmp_path / "budgets" / "crm"
    RateLimiter(path, RateLimit(requests=2), Clock()).reserve()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


# ------------------------------------------------------------------------------------------------ without a figure


def test_without_a_figure_nothing_is_written_and_nobody_waits(tmp_path: Path) -> None:
    budget = RateLimiter(tmp_path / "budget", None, Clock())
    assert [budget.reserve() for _ in range(1000)] == [START] * 1000
    assert not (tmp_path / "budget").exists()


def test_retry_after_holds_everybody_back(tmp_path: Path) -> None:
    clock = Clock()
    one, other = (RateLimiter(tmp_path / "budget", None, clock) for _ in range(2))
    one.refused(one.reserve(), 30.0)
    assert other.reserve() == START + 30
    clock.now += 10
    other.pause(5.0)
    assert one.reserve() == START + 30
    other.pause(50.0)
    assert one.reserve() == START + 60
    other.pause(-1000.0)
    assert one.reserve() == START + 60


def test_retry_after_counts_with_a_figure_too(tmp_path: Path) -> None:
    limit, clock = RateLimit(requests=2, per="minute"), Clock()
    budget = RateLimiter(tmp_path / "budget", limit, clock)
    budget.refused(budget.reserve(), 90.0)
    moments = [budget.reserve() for _ in range(3)]
    assert moments[0] == START + 90
    assert most_in_any(60, moments) == 2


class Vendor:
    """A vendor that counts by the minute of the clock and says when the next one begins, refused requests included."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.counts: dict[int, int] = {}

    def retry_after(self, moment: float) -> float | None:
        """Return how long to stay away, or ``None`` where the request is accepted."""
        minute = int(moment // 60)
        self.counts[minute] = self.counts.get(minute, 0) + 1
        return None if self.counts[minute] <= self.per_minute else (minute + 1) * 60 - moment


def _refusals(vendor: Vendor, budget: RateLimiter, clock: Clock, requests: int) -> int:
    """Send requests one after the other, each taking 10 ms; return how many were refused."""
    refused = 0
    for _ in range(requests):
        moment = budget.reserve()
        clock.now = max(clock.now, moment) + 0.01
        wait = vendor.retry_after(moment)
        if wait is not None:
            refused += 1
            budget.refused(moment, wait)
    return refused


def test_the_pace_of_an_unpublished_limit_is_learned(tmp_path: Path) -> None:
    clock = Clock()
    budget = RateLimiter(tmp_path / "budget", None, clock)
    vendor = Vendor(60)
    assert 1 <= _refusals(vendor, budget, clock, 150) <= 3
    begun = clock.now
    assert _refusals(vendor, budget, clock, 600) <= 6
    assert (clock.now - begun) / 600 == pytest.approx(1.0, rel=0.1)


def test_a_learned_pace_survives_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    _refusals(Vendor(60), RateLimiter(tmp_path / "budget", None, clock), clock, 200)
    clock.now += 1000
    budget = RateLimiter(tmp_path / "budget", None, clock)
    moments = [budget.reserve() for _ in range(20)]
    assert (moments[-1] - moments[0]) / 19 == pytest.approx(1.0, rel=0.1)


def test_a_refusal_after_a_few_requests_teaches_no_pace(tmp_path: Path) -> None:
    clock = Clock()
    budget = RateLimiter(tmp_path / "budget", None, clock)
    for _ in range(5):
        moment = budget.reserve()
    clock.now += 100
    budget.refused(moment, 2.0)
    assert [budget.reserve() for _ in range(3)] == [clock.now + 2] * 3


def test_several_refusals_of_one_moment_are_one_lesson(tmp_path: Path) -> None:
    clock = Clock()
    budget = RateLimiter(tmp_path / "budget", None, clock)
    sent = [budget.reserve() for _ in range(28)]
    clock.now += 10
    for moment in sent[-8:]:
        budget.refused(moment, 10.0)
    first, second = budget.reserve(), budget.reserve()
    assert first == START + 20
    assert second - first == pytest.approx(20 / 27 * 1.02)


def test_a_vendor_that_counts_in_tokens_is_followed_within_a_third(tmp_path: Path) -> None:
    """Fifty requests a second in a bucket of ten, eight in flight."""
    clock = Clock()
    budget = RateLimiter(tmp_path / "budget", None, clock)
    tokens, filled, accepted = 10.0, clock.now, 0
    while accepted < 1000:
        sent = [budget.reserve() for _ in range(8)]
        for moment in sent:
            clock.now = max(clock.now, moment) + 0.001
            tokens, filled = min(10.0, tokens + (clock.now - filled) * 50), clock.now
            if tokens >= 1:
                tokens, accepted = tokens - 1, accepted + 1
            else:
                budget.refused(moment, 1.0)
    assert clock.now - START < (1000 - 10) / 50 * 1.4


def test_a_refusal_never_quickens_the_pace(tmp_path: Path) -> None:
    clock = Clock()
    budget = RateLimiter(tmp_path / "budget", None, clock)
    for _ in range(12):
        moments = [0.0, 0.0]
        for _ in range(30):
            moments.append(budget.reserve())
            clock.now = max(clock.now, moments[-1])
        refused_at, gap = clock.now, moments[-1] - moments[-2]
        budget.refused(moments[-1], 1.0)
        first, second = budget.reserve(), budget.reserve()
        assert first >= refused_at + 1
        assert second - first > gap
        clock.now = second
