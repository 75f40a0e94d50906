"""Lists that move while they are read: never green and missing, within the requests that are allowed for it."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_assets.extract.errors import ReadError
from crm_assets.extract.paging.movement import samples
from crm_assets.extract.read_report import ReadReport
from crm_assets.extract.verification import verify
from crm_assets_tests.extract.moving_list import SIZE, WAYS, Event, Kind, MovingList, Order, churn, read
from crm_assets_tests.reliability import times

TOLD = {"total": 0, "pages": 0, "link": 0, "cursor": 0, "empty": 1, "short": 1, "offset": 1}
"""Requests behind the end that a list needs whose last page is not full."""
ORDERS: tuple[Order, ...] = ("oldest first", "newest first", "changed first", "changed last")
TURNS: tuple[tuple[Kind, ...], ...] = (("create", "delete"), ("delete",), ("create", "change", "delete"), ("create",))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pages", [1, 2, 4, 20, 60])
def test_a_still_list_is_proven_at_little_cost(way: str, pages: int) -> None:
    count = pages * SIZE - 2
    first = read(MovingList(way, count))
    assert (first.settled.proven, first.settled.moved, first.error, first.missing) == (True, "", "", set())
    behind = 2 if pages == 1 and way in ("empty", "offset") else TOLD[way]  # nothing says how long a page may be
    assert first.past_the_end == behind
    looks = 0 if way == "total" else len(samples(pages, known=False))
    assert first.requests == pages + behind + looks
    if pages >= 20:
        assert first.requests <= (1.0 * pages + 1 if way == "total" else 1.25 * pages)
    later = read(MovingList(way, count), known=first.ids)
    assert later.settled.proven
    assert later.requests <= pages + 2 if pages < 60 or way == "total" else 1.05 * pages


@pytest.mark.parametrize("way", ["empty", "short", "offset"])
def test_full_pages_to_the_end_take_two_requests_behind_it_at_most(way: str) -> None:
    assert read(MovingList(way, 4 * SIZE)).past_the_end == 2
    assert read(MovingList("total", 4 * SIZE)).past_the_end <= 2


def _events(requests: int) -> st.SearchStrategy[list[Event]]:
    """Events with an answer between any two of them: a pair between two answers leaves the same number of records."""
    moments = st.integers(1, requests)
    kinds = st.sampled_from(["create", "delete", "change"])
    event = st.tuples(moments, kinds, st.floats(0, 1))
    return st.lists(event, max_size=12, unique_by=lambda one: one[0])


@given(st.integers(1, 60), _events(40), st.sampled_from(["oldest first", "newest first"]))
@settings(max_examples=times(300, 10_000), deadline=None)
def test_with_a_total_no_read_is_green_and_missing(count: int, events: list[Event], order: Order) -> None:
    outcome = read(MovingList("total", count, events, order))
    assert not outcome.error
    assert not (outcome.settled.proven and outcome.missing)


@given(st.integers(1, 60), _events(40))
@settings(max_examples=times(150, 5_000), deadline=None)
def test_a_cursor_by_key_misses_nothing(count: int, events: list[Event]) -> None:
    outcome = read(MovingList("cursor", count, events))
    assert not outcome.error
    assert not outcome.missing


@pytest.mark.parametrize("way", ["total", "pages", "empty", "short", "offset", "link"])
def test_churn_is_amber_and_loses_next_to_nothing(way: str) -> None:
    seen: Counter[str] = Counter()
    for seed in range(trials := times(24, 1_000)):
        chance = random.Random(f"{way} {seed}")
        events = churn(chance, every=5, requests=200, kinds=TURNS[seed % len(TURNS)])
        outcome = read(MovingList(way, 40 * SIZE - 2, events, ORDERS[seed // len(TURNS) % len(ORDERS)]))
        assert not outcome.error
        assert outcome.requests <= 3 * 40
        colour = "green" if outcome.settled.proven else "amber"
        seen[f"{colour} and missing" if outcome.missing else colour] += 1
    assert seen["green and missing"] == 0
    # Pages of five records lose ten times as many to their boundaries as pages of fifty.
    assert seen["amber and missing"] <= trials * 0.3


@pytest.mark.parametrize("way", ["empty", "offset", "link", "pages"])
def test_what_a_read_missed_comes_with_the_next_or_is_looked_for(way: str) -> None:
    for seed in range(times(12, 400)):
        chance = random.Random(f"{way} {seed}")
        known = read(MovingList(way, 40 * SIZE - 2)).ids
        events = churn(chance, every=30, requests=200, kinds=["delete"])
        outcome = read(MovingList(way, 40 * SIZE - 2, events), known)
        assert not (outcome.settled.proven and outcome.missing)


def test_rows_that_were_deleted_before_a_read_are_looked_for_once_more_and_then_gone() -> None:
    moving = MovingList("empty", 40 * SIZE - 2)
    known = read(moving).ids
    moving.ids.remove(77)
    moving.always.discard(77)
    outcome = read(moving, known)
    assert outcome.settled.proven
    assert 2 * 40 <= outcome.requests <= 2 * 42 + 3


def test_samples_are_spread_and_end_with_the_last_page() -> None:
    assert samples(60, known=True) == [29, 59]
    assert samples(8, known=False) == [3]
    for pages in range(1, 200):
        for known, share in ((True, 0.05), (False, 0.25)):
            chosen = samples(pages, known=known)
            assert len({*chosen}) == len(chosen) == max(int(pages * share) - 1, 0)
            assert len(chosen) < 2 or chosen[-1] == pages - 1


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (ReadReport(rows=3, reported_total=3), "proven"),
        (ReadReport(rows=2, rejected=1, reported_total=3), "proven"),
        (ReadReport(rows=2, reported_total=3), "short"),
        (ReadReport(rows=4, reported_total=3), "short"),
        (ReadReport(rows=4, reported_total=3, moved="x"), "proven"),
        (ReadReport(rows=2, reported_total=3, moved="x"), "unproven"),
        (ReadReport(rows=2, reported_total=3, duplicates=1), "unproven"),
        (ReadReport(rows=2, reported_total=3, unproven="x"), "unproven"),
    ],
)
def test_the_number_of_records_is_compared_in_the_end(report: ReadReport, verdict: str) -> None:
    if verdict == "short":
        with pytest.raises(ReadError, match="the API reports 3 records"):
            verify(report, paged=True)
    else:
        verify(report, paged=True)
        assert bool(report.unproven) == (verdict == "unproven")
