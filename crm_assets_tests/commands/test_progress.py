"""Progress is told often enough to be seen, and no oftener."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from crm_assets.extract import progress


@pytest.fixture
def told() -> Iterator[list[tuple[str, str, int, int]]]:
    """Calls of a listener."""
    calls: list[tuple[str, str, int, int]] = []
    progress.listen(lambda connection: lambda *read: calls.append((connection, *read)))
    yield calls
    progress.listen(None)


def test_a_listener_is_told_ten_times_a_second_at_most(told: list[tuple[str, str, int, int]]) -> None:
    watch = progress.watch_of("crm", print)
    end = time.monotonic() + 0.45
    while time.monotonic() < end:
        watch("people", 1, 100)
    assert 1 < len(told) <= 5
    assert set(told) == {("crm", "people", 1, 100)}


def test_a_log_says_now_and_then_how_far_and_how_fast_a_read_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.25)
    lines: list[str] = []
    watch, end = progress.watch_of("crm", lines.append), time.monotonic() + 0.8
    while time.monotonic() < end:
        watch("people", 10, 1000)
    assert 1 <= len(lines) <= 3
    assert all(re.fullmatch(r"people: 1,000 rows from 10 pages so far, \S+ rows a second", line) for line in lines)


def test_a_wait_is_shown_at_once_and_logged_seldom() -> None:
    shown: list[tuple[str, str]] = []
    logged: list[str] = []
    progress.listen(None, lambda connection, text: shown.append((connection, text)))
    say = progress.notices("crm", logged.append)
    for seconds in (3, 2, 1):
        say("rate", f"waiting {seconds} s")
    say("retry", "waiting for a retry")
    progress.listen(None)
    say("rate", "waiting 0 s")
    assert shown == [("crm", f"waiting {what}") for what in ("3 s", "2 s", "1 s", "for a retry")]
    assert logged == ["crm: waiting 3 s", "crm: waiting for a retry"]
