"""The shared rate file over years of clocks, crashes and damage: it is healed, and never stops an account for long."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.http.rate_state import LONGEST

NOW = 1_800_000_000.0
YEAR = 366 * 86_400.0


def patient(folder: Path, limit: RateLimit | None, now: float) -> float:
    """Return the next departure a run gets, or the next of the runs that follow it until the server may be asked."""
    for later in range(0, int(LONGEST) + 300, 300):
        with suppress(ReadError):
            return RateLimiter(folder / "budget", limit, lambda at=now + later: at).reserve()  # type: ignore[misc]
    raise AssertionError("the account is locked for longer than an hour")


_LIMITS = st.none() | st.builds(RateLimit, requests=st.integers(1, 5), per=st.sampled_from(["second", "minute", "day"]))


@given(
    _LIMITS,
    st.lists(
        st.tuples(
            st.floats(-2 * YEAR, 2 * YEAR) | st.floats(-60, 60) | st.just(0.0),
            st.none() | st.floats(0, 4 * YEAR),
            st.none() | st.floats(0, 4 * YEAR),
        ),
        min_size=1,
        max_size=8,
    ),
)
@settings(deadline=None, max_examples=100)
def test_years_of_wild_clocks_and_answers_never_lock_an_account(
    limit: RateLimit | None, steps: list[tuple[float, float | None, float | None]]
) -> None:
    """Each step is a run: the clock leaps between them, and the server says whatever it likes."""
    period = limit.seconds if limit else 0.0
    now = NOW
    with TemporaryDirectory() as folder:
        for leap, wait, reset in steps:
            now += leap
            moment = patient(Path(folder), limit, now)
            # The clock may leap back by less than a run has waited for its turn, which nothing shows.
            assert moment <= now + LONGEST + 2 * 1.01 * period + 60
            now = max(now, moment)
            budget = RateLimiter(Path(folder) / "budget", limit, lambda at=now: at)  # type: ignore[misc]
            if wait is not None:
                budget.slow_down(now, wait)
            if reset is not None:
                budget.hold(min(reset, 900))


def _used(folder: Path, limit: RateLimit | None = None) -> Path:
    """Leave a file behind as runs leave it: with a learned pace and a wait."""
    now = NOW
    budget = RateLimiter(folder / "budget", limit, lambda: now)
    for _ in range(12):
        now = max(now + 0.1, budget.reserve())
        budget._history.sent(now)
    budget.slow_down(now, 20.0)
    return folder / "budget"


@given(st.binary(max_size=700))
@settings(deadline=None, max_examples=60)
def test_a_file_of_anything_begins_anew(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "budget").write_bytes(content)
        limit = RateLimit(requests=2, per="minute")
        assert patient(Path(folder), limit, NOW) == NOW
        assert patient(Path(folder), limit, NOW) >= NOW + 3


@given(st.integers(0, 590), st.integers(0, 255))
@settings(deadline=None, max_examples=150)
def test_a_damaged_byte_locks_nobody(position: int, byte: int) -> None:
    with TemporaryDirectory() as folder:
        limit = RateLimit(requests=10, per="minute")
        path = _used(Path(folder), limit)
        content = bytearray(path.read_bytes())
        content[min(position, len(content) - 1)] = byte
        path.write_bytes(content)
        assert patient(Path(folder), limit, NOW + 100) <= NOW + 100 + LONGEST + 61


@pytest.mark.parametrize("size", [0, 1, 64, 511, 512, 520, 523])
def test_a_file_cut_short_is_healed(size: int, tmp_path: Path) -> None:
    limit = RateLimit(requests=10, per="minute")
    path = _used(tmp_path, limit)
    path.write_bytes(path.read_bytes()[:size])
    assert patient(tmp_path, limit, NOW + 200) <= NOW + 200 + 61
    assert patient(tmp_path, limit, NOW + 400) == NOW + 400


def test_the_format_of_before_is_discarded(tmp_path: Path) -> None:
    """64 bytes of numbers, the first of them a moment far away."""
    (tmp_path / "budget").write_bytes(struct.pack("<ddddQQdQ", 3.6e9, 3497.0, 3.6e9, 3.6e9, 5, 5, 1.0, 5))
    assert RateLimiter(tmp_path / "budget", None, lambda: NOW).reserve() == NOW


@pytest.mark.parametrize("back", [2.0, 3600.0, 86_400.0, 10 * YEAR])
def test_a_clock_set_back_costs_no_more_than_the_wait_that_was_left(back: float, tmp_path: Path) -> None:
    _used(tmp_path)
    assert RateLimiter(tmp_path / "budget", None, lambda: NOW - back).reserve() == pytest.approx(NOW - back + 20)


def test_a_clock_set_back_does_not_lift_the_published_figure(tmp_path: Path) -> None:
    limit = RateLimit(requests=2, per="minute")
    before = [RateLimiter(tmp_path / "budget", limit, lambda: NOW).reserve() for _ in range(2)]
    after = [RateLimiter(tmp_path / "budget", limit, lambda: NOW - YEAR).reserve() for _ in range(2)]
    assert after[0] == pytest.approx(NOW - YEAR + 60.6, abs=before[1] - NOW)
    assert after[1] - after[0] >= 3


@pytest.mark.parametrize(("first", "second"), [(2, 6), (6, 2)])
def test_another_figure_keeps_what_was_sent_under_the_one_before(first: int, second: int, tmp_path: Path) -> None:
    now = NOW
    moments: list[float] = []
    for requests in (first, second):
        limit = RateLimit(requests=requests, per="minute")
        budget = RateLimiter(tmp_path / "budget", limit, lambda at=now: at)  # type: ignore[misc]
        moments += [budget.reserve() for _ in range(requests)]
        now = moments[-1]
    sent_before = [moment for moment in moments[:first] if moment > moments[first] - 60]
    assert len(sent_before) < second


def test_two_stray_refusals_on_two_days_leave_no_pace(tmp_path: Path) -> None:
    """One 429 in a preview, the next after 22 requests of the day after: no turn is later than a second or two."""
    for limit in (None, RateLimit(requests=180, per="minute")):
        now = NOW
        budget = RateLimiter(tmp_path / f"{limit}", limit, lambda: now)  # noqa: B023
        for day in range(2):
            for number in range(30):
                moment = budget.reserve()
                assert moment - now < 3
                now = max(now, moment)
                budget._history.sent(now)
                if number == 21:
                    budget.slow_down(now, 1.0)
            now = NOW + (day + 1) * 86_400
