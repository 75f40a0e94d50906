"""The rate limiter: never more than the vendor's figure, whoever asks; waits are obeyed, said, and bounded."""

from __future__ import annotations

import asyncio
import itertools
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http import rate_limiter
from crm_assets.extract.http.rate_limiter import LONGEST_WAIT, RateLimiter
from crm_assets.extract.http.rate_state import LONGEST

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


@pytest.mark.parametrize(("requests", "per"), [(1, "second"), (100, "minute"), (500, "day")])
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

lock = FileLock(sys.argv[1])
lock.acquire()
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


def test_acquire_waits_until_the_reserved_moment(tmp_path: Path) -> None:
    budget = RateLimiter(tmp_path / "budget", RateLimit(requests=2, per="second"))

    async def run() -> list[tuple[float, float, float]]:
        return [(*await budget.acquire(), time.time()) for _ in range(3)]

    left = asyncio.run(run())
    assert left[0][1] == 0.0
    for moment, waited, now in left:
        assert 0 <= now - moment < 0.2
        assert waited <= 1.01
    assert 1.01 - 1e-6 <= left[2][0] - left[0][0] < 1.2, "later only by as much as the first one left late"


@pytest.mark.parametrize(("requests", "per"), [(20, "second"), (30, "minute")])
def test_no_period_holds_more_though_some_requests_leave_late(
    requests: int, per: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine wakes up late now and then, and the requests behind that are punctual."""
    limit = RateLimit.model_validate({"requests": requests, "per": per})
    clock, left = Clock(), list[float]()
    late = itertools.cycle([*[limit.seconds * 0.09] * (requests // 2), *[0.0] * requests])

    async def overslept(seconds: float) -> None:
        clock.now += seconds + next(late)

    async def send() -> None:
        budget = RateLimiter(tmp_path / "budget", limit, clock)
        for _ in range(requests * 6):
            await budget.acquire()
            left.append(clock.now)

    monkeypatch.setattr(rate_limiter, "asyncio", SimpleNamespace(sleep=overslept))
    asyncio.run(send())
    assert most_in_any(limit.seconds, left) <= requests
    assert left[-1] - left[0] < limit.seconds * 10


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
    one.slow_down(one.reserve(), 30.0)
    assert other.reserve() == START + 30
    clock.now += 10
    other.hold(5.0)
    assert one.reserve() == START + 30
    other.hold(50.0)
    assert one.reserve() == START + 60
    other.hold(-1000.0)
    assert one.reserve() == START + 60


def test_retry_after_counts_with_a_figure_too(tmp_path: Path) -> None:
    limit, clock = RateLimit(requests=2, per="minute"), Clock()
    budget = RateLimiter(tmp_path / "budget", limit, clock)
    budget.slow_down(budget.reserve(), 90.0)
    moments = [budget.reserve() for _ in range(3)]
    assert moments[0] == START + 90
    assert most_in_any(60, moments) == 2


# ------------------------------------------------------------------------------------------------ waits and words


def test_a_request_to_stay_away_ends_the_run_and_is_forgotten_within_an_hour(tmp_path: Path) -> None:
    clock = Clock()
    budget = RateLimiter(tmp_path / "budget", None, clock)
    budget.slow_down(budget.reserve(), 1e12)
    with pytest.raises(ReadError, match="accepts no requests until 2027-01-15 09:00 UTC"):
        budget.reserve()
    clock.now += LONGEST - LONGEST_WAIT
    assert budget.reserve() == START + LONGEST


def test_a_header_beside_an_answer_never_ends_a_run(tmp_path: Path) -> None:
    budget = RateLimiter(tmp_path / "budget", None, Clock())
    asyncio.run(budget.pause(1e9))
    assert budget.reserve() == START + LONGEST_WAIT


def test_the_file_is_gone_a_minute_after_the_last_wait(tmp_path: Path) -> None:
    clock = Clock()
    budget = RateLimiter(tmp_path / "budget", None, clock)
    budget.slow_down(budget.reserve(), 5.0)
    assert (tmp_path / "budget").exists()
    clock.now += 5 + 61
    assert budget.reserve() == clock.now
    assert not (tmp_path / "budget").exists()


def test_requests_that_wait_are_held_back_by_a_refusal_in_the_meantime(tmp_path: Path) -> None:
    """Nine wait for their turn when the first is refused; none of them leaves before the wait is over."""
    budget = RateLimiter(tmp_path / "budget", RateLimit(requests=20, per="second"))

    async def run() -> tuple[float, list[float]]:
        first, _ = await budget.acquire()
        others = [asyncio.ensure_future(budget.acquire()) for _ in range(9)]
        await asyncio.sleep(0.01)
        await budget.throttled(first, 0.5)
        refused = time.time()
        return refused, [moment for moment, _ in await asyncio.gather(*others)]

    refused, moments = asyncio.run(run())
    assert min(moments) >= refused + 0.49
    assert most_in_any(1.0, moments) <= 20


def test_a_lock_held_elsewhere_stops_nobody_else_and_is_said(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, f"{tmp_path / 'budget'}.lock"], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "1\n"
    said: list[tuple[str, str]] = []
    budget = RateLimiter(tmp_path / "budget", RateLimit(requests=20), say=lambda *words: said.append(words))

    async def run() -> float:
        waiting = asyncio.ensure_future(budget.acquire())
        longest, end = 0.0, time.monotonic() + 1.4
        while time.monotonic() < end:
            begun = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - begun)
        assert not waiting.done()
        holder.kill()
        holder.communicate()
        await asyncio.wait_for(waiting, 5)
        return longest

    assert asyncio.run(run()) < 0.5, "the event loop goes on"
    assert said[0] == ("lock", f"waiting for another process that holds {tmp_path / 'budget'}")


def test_what_is_waited_for_is_said_before_the_wait(tmp_path: Path) -> None:
    said: list[str] = []
    clock = Clock()
    budget = RateLimiter(tmp_path / "budget", None, clock, say=lambda _, text: said.append(text))

    async def first_second() -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(budget.acquire(), 0.05)

    for moment in range(20):
        clock.now = START + moment * 0.1
        asyncio.run(first_second())
    asyncio.run(budget.throttled(clock.now, 30.0))
    assert said == ["slowed to 1 request per 0.8 s after 1 × 429"]
    asyncio.run(first_second())
    assert said[-1] == "waiting 30 s: the server asks for no request before 08:00:31 UTC"
    for _ in range(13):
        clock.now += 30.5
        asyncio.run(budget.throttled(clock.now, 30.0))
    assert said[-1].endswith("after 14 × 429")


def test_the_published_figure_is_named_when_it_is_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    budget = RateLimiter(tmp_path / "budget", RateLimit(requests=1), Clock(), say=lambda _, text: said.append(text))

    async def run() -> None:
        await budget.acquire()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(budget.acquire(), 0.05)

    asyncio.run(run())
    assert said == ["waiting 61 s for the rate limit of 1 request per minute"]
