"""Windows and cursors: what the declared templates carry is found again and applied."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_assets.declarations.models.base import fill
from crm_assets.sandbox.matching import unfill
from crm_assets_tests.sandbox.conftest import START, TODAY, World

DAYS = [START + timedelta(days=number) for number in range((TODAY - START).days + 1)]


@given(st.text(min_size=1), st.integers(), st.text("abc"))
def test_unfill_is_the_inverse_of_fill(text: str, number: int, constant: str) -> None:
    values = {"window_start": text, "window_end": number}
    template = {"a": ["{window_start}", {"b": "{window_end}", "c": constant}], "d": 5}
    assert unfill(template, fill(template, values)) == values


def test_unfill_finds_values_inside_a_longer_text() -> None:
    assert unfill("{a} TO {b}.", "1 TO 2.") == {"a": "1", "b": "2"}
    assert unfill({"f[]": ["{a}"]}, {"f[]": "1", "more": "x"}) == {"a": "1"}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{a} TO {b}", "1 UNTIL 2"),
        ({"k": 1}, {"k": 2}),
        ({"k": "{a}"}, {}),
        ({"k": "{a}"}, "k"),
        (["{a}", 1], [1]),
        (True, "yes"),
    ],
)
def test_unfill_refuses_what_the_template_cannot_have_made(template: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"not made of|argument"):
        unfill(template, value)


def test_single_days_add_up_to_the_whole_list(world: World) -> None:
    for site in world.sandbox.rows("tracker", "sites"):
        read = []
        for day in DAYS:
            reader = world.reader(
                "tracker", "visits", True, site_id=site["id"], window_start=str(day), window_end=str(day)
            )
            rows = reader.rows()
            assert {row["day"] for row in rows} <= {day}
            read += rows
        truth = world.sandbox.rows("tracker", "visits", parent=site["id"])
        assert sorted(row["id"] for row in read) == sorted(row["id"] for row in truth)
        assert {row["day"] for row in truth} <= set(DAYS)


def test_rows_are_spread_from_the_first_day_to_today(world: World) -> None:
    days = [row["day"] for row in world.sandbox.rows("tracker", "visits")]
    assert days.count(TODAY) >= 1
    assert (min(days) - START).days <= 3
    for month in (1, 2, 3):
        assert sum(day.month == month for day in days) > len(days) / 5


def test_a_day_is_a_day_of_the_connections_time_zone(world: World) -> None:
    zone = world.connection("tracker").zone
    visits = world.sandbox.rows("tracker", "visits")
    assert all(visit["started_at"].astimezone(zone).date() == visit["day"] for visit in visits)
    assert any(visit["started_at"].date() != visit["day"] for visit in visits)


def test_an_aggregate_appears_once_per_window_with_its_last_day(world: World) -> None:
    site = world.sandbox.rows("tracker", "sites")[0]["id"]
    window = {"window_start": str(START), "window_end": str(TODAY)}
    rows = world.reader("tracker", "leads", True, site_id=site, **window).rows()
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids)) > 5
    daily: dict[str, list[date]] = {}
    for day in DAYS:
        here = {"window_start": str(day), "window_end": str(day)}
        for row in world.reader("tracker", "leads", True, site_id=site, **here).rows():
            assert row["last_seen"] == day
            daily.setdefault(row["id"], []).append(day)
    assert {row["id"]: row["last_seen"] for row in rows} == {name: seen[-1] for name, seen in daily.items()}
    assert max(len(seen) for seen in daily.values()) > 1


def test_the_oracle_tells_the_rows_of_a_window(world: World) -> None:
    site = world.sandbox.rows("tracker", "sites")[0]["id"]
    window = (date(2026, 2, 1), date(2026, 2, 14))
    bounds = {"window_start": str(window[0]), "window_end": str(window[1])}
    for resource in ("visits", "leads"):
        read = world.reader("tracker", resource, True, site_id=site, **bounds).rows()
        truth = world.sandbox.rows("tracker", resource, window=window, parent=site)
        assert read == truth != []


def test_undated_rows_are_in_no_window_and_in_the_whole_list(world: World) -> None:
    whole = world.reader("tracker", "tasks").rows()
    window = {"window_start": "2000-01-01", "window_end": "2100-01-01"}
    dated = world.reader("tracker", "tasks", True, **window).rows()
    assert whole == world.sandbox.rows("tracker", "tasks")
    assert dated == [row for row in whole if row["due_date"]]
    assert 0 < len(whole) - len(dated) < len(whole) / 3


def test_an_exclusive_end_inside_a_longer_text(world: World) -> None:
    truth = world.sandbox.rows("desk", "spans")
    middle = sorted(row["starts_at"] for row in truth)[len(truth) // 2]
    before = world.reader("desk", "spans", True, window_start="2026-01-01T00:00:00Z", window_end=middle.isoformat())
    after = world.reader("desk", "spans", True, window_start=middle.isoformat(), window_end="2026-05-01T00:00:00+0000")
    assert before.rows() == [row for row in truth if row["starts_at"] < middle]
    assert after.rows() == [row for row in truth if row["starts_at"] >= middle]


def test_days_without_an_offset_begin_in_the_connections_time_zone(world: World) -> None:
    zone = world.connection("desk").zone
    reader = world.reader("desk", "spans", True, window_start="2026-02-01", window_end="2026-02-15")
    truth = world.sandbox.rows("desk", "spans", window=(date(2026, 2, 1), date(2026, 2, 14)))
    assert reader.rows() == truth != []
    assert {row["starts_at"].astimezone(zone).date().month for row in truth} == {2}


@pytest.mark.parametrize(("resource", "epoch"), [("changes", False), ("seconds", True)])
def test_a_cursor_gives_what_changed_since(world: World, resource: str, epoch: bool) -> None:
    truth = world.sandbox.rows("desk", resource)
    since = sorted(row["updated_at"] for row in truth)[-20].replace(microsecond=0)
    given = int(since.timestamp()) if epoch else since.isoformat()
    read = world.reader("desk", resource, True, **{"incremental.start_value": given}).rows()
    assert read == [row for row in truth if row["updated_at"] >= since]
    assert 20 <= len(read) < len(truth)
    assert world.reader("desk", resource).rows() == truth


@pytest.mark.parametrize(
    ("resource", "given"),
    [
        ("changes", {"incremental.start_value": "yesterday"}),
        ("seconds", {"incremental.start_value": "2026-01-01"}),
        ("spans", {"window_start": "2026-01-01", "window_end": "1767225600"}),
        ("deep", {"window_start": "2026-01-01T00:00:00Z", "window_end": "2026-01-02"}),
    ],
)
def test_a_filter_in_another_format_is_refused(world: World, resource: str, given: dict[str, str]) -> None:
    answer = world.reader("desk", resource, True, **given).page(page=1)
    assert answer.status == 400
    assert resource in answer.body["error"]


def test_a_list_deeper_than_the_api_serves_ends_without_a_word(world: World) -> None:
    truth = world.sandbox.rows("desk", "deep")
    bounds = {"window_start": str(START), "window_end": str(TODAY)}
    assert len(truth) > 60
    assert world.reader("desk", "deep", True, **bounds).rows() == truth[:60]


def test_times_are_true_instants(world: World) -> None:
    now = datetime(2026, 3, 31, tzinfo=timezone.utc)
    for row in world.sandbox.rows("desk", "changes"):
        assert row["created_at"] <= row["updated_at"] <= now
    for row in world.sandbox.rows("shop", "people"):
        assert row["created_at"] is None or row["created_at"].microsecond == 0
