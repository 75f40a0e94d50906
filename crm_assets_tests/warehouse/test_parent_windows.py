"""Windows of lists that hang on parents: the loaded days are those of every parent, late or refused as it may be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from crm_assets.date_range import DateRange, without
from crm_assets_tests.conftest import Build
from crm_assets_tests.warehouse.living_api import Heard, LivingApi, listing, living_api

TODAY = datetime.now(timezone.utc).date()
START = TODAY - timedelta(days=9)
DAYS = [START + timedelta(days=number) for number in range(10)]
ACCOUNTS = listing("accounts")
WINDOW = {"field": "day", "params": {"from": "{window_start}", "to": "{window_end}"}}
VISITS = listing(
    "visits",
    {"account_id": {"type": "bigint", "source": "{account_id}"}, "day": "date"},
    endpoint={"path": "/accounts/{account_id}/visits"},
    window=WINDOW,
)
BY_DAY = {
    **VISITS,
    "name": "visits_by_day",
    "endpoint": {**VISITS["endpoint"], "path": "/accounts/{account_id}/visits_by_day"},
    "window": {**WINDOW, "per_partition": True},
    "primary_key": ["id", "day"],
}
LISTS = ("visits", "visits_by_day")
"""Asked for by ranges of days, and day by day; the same is true of both."""


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__DESK__TOKEN", "a-token-0123456789")


class Accounts:
    """An API of accounts, each of which has a visit a day."""

    def __init__(self) -> None:
        self.there, self.refused, self.refused_days = {1, 2}, set[int](), set[str]()

    def answer(self, path: str, query: dict[str, str]) -> Any:
        if path == "/accounts":
            return {"items": [{"id": key} for key in sorted(self.there)]}
        account = int(path.split("/")[2])
        if account in self.refused or query["from"] in self.refused_days:
            return 403
        days = [day for day in DAYS if query["from"] <= day.isoformat() <= query["to"]]
        return {"items": [{"id": account * 100 + DAYS.index(day), "day": day.isoformat()} for day in days]}


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
def visits(house: Build, tmp_path: Path, accounts: Accounts) -> Iterator[LivingApi]:
    """Visits per account, in both ways."""
    with living_api(house, tmp_path, accounts.answer, ACCOUNTS, VISITS, BY_DAY, start_date=START) as api:
        yield api


def read(api: LivingApi, first: int, last: int) -> list[Heard]:
    heard = api.sync(*LISTS, dates=(DAYS[first].isoformat(), DAYS[last].isoformat()))
    return [one for one in heard if one.path != "/accounts"]


def asked(heard: list[Heard], account: int) -> set[date]:
    """Return the days an account's visits were asked for."""
    by_range, by_day = (
        {day for one in heard if one.path == f"/accounts/{account}/{name}" for day in days_of(one)} for name in LISTS
    )
    assert by_range == by_day
    return by_range


def days_of(heard: Heard) -> set[date]:
    """Return the days of a request."""
    return {day for day in DAYS if heard.query["from"] <= day.isoformat() <= heard.query["to"]}


def loaded(api: LivingApi) -> dict[int, int]:
    """Return the number of visits by account."""
    count = "SELECT account_id, count(*) AS n FROM desk.{} GROUP BY 1"
    by_range, by_day = (
        {row["account_id"]: row["n"] for row in api.installation.query(count.format(name))} for name in LISTS
    )
    assert by_range == by_day
    return by_range


def test_a_new_parent_is_read_for_all_loaded_days(visits: LivingApi, accounts: Accounts) -> None:
    read(visits, 1, 7)
    accounts.there.add(3)
    heard = read(visits, 8, 9)
    assert (asked(heard, 1), asked(heard, 3)) == (set(DAYS[8:]), set(DAYS[1:]))
    assert loaded(visits) == {1: 9, 2: 9, 3: 9}
    assert [visits.complaints(name) for name in LISTS] == ["", ""]
    assert asked(read(visits, 9, 9), 3) == {DAYS[9]}
    read(visits, 0, 0)
    assert loaded(visits) == {1: 10, 2: 10, 3: 10}


def test_a_refused_parent_is_read_for_what_it_missed(visits: LivingApi, accounts: Accounts) -> None:
    read(visits, 0, 2)
    accounts.refused = {2}
    read(visits, 3, 5)
    assert asked(read(visits, 6, 6), 2) == {DAYS[6]}
    accounts.refused.clear()
    assert asked(read(visits, 7, 7), 2) == set(DAYS[3:8])
    assert loaded(visits) == {1: 8, 2: 8}
    assert asked(read(visits, 8, 8), 2) == {DAYS[8]}


def test_a_parent_refused_from_the_start_is_read_once_it_is_open(visits: LivingApi, accounts: Accounts) -> None:
    accounts.refused = {2}
    read(visits, 0, 7)
    accounts.refused.clear()
    read(visits, 8, 8)
    assert loaded(visits) == {1: 9, 2: 9}


def test_a_parent_that_was_away_is_read_for_the_days_meanwhile(visits: LivingApi, accounts: Accounts) -> None:
    read(visits, 0, 2)
    accounts.there = {1}
    read(visits, 3, 5)
    accounts.there = {1, 2}
    read(visits, 6, 6)
    assert loaded(visits) == {1: 7, 2: 7}


def test_days_without_others() -> None:
    def days(first: int, last: int) -> DateRange:
        return DateRange(DAYS[first], DAYS[last])

    assert without([days(0, 9)], []) == (days(0, 9),)
    assert without([days(0, 9)], [days(3, 4), days(6, 9)]) == (days(0, 3), days(4, 6))
    assert without([days(2, 5)], [days(0, 9)]) == ()
    assert without([days(2, 5), days(6, 8)], [days(0, 2), days(4, 7)]) == (days(2, 4), days(7, 8))


@pytest.mark.parametrize("grain", ["daily", "weekly", "monthly"])
def test_parts_of_a_span_are_its_days(grain: Any) -> None:
    whole = {"daily": (1, 40), "weekly": (4, 32), "monthly": (1, 61)}[grain]
    dates = DateRange(date(2024, 1, whole[0]), date(2024, 1, 1) + timedelta(days=whole[1] - 1))
    parts = list(dates.split(grain))
    assert (parts[0].start, parts[-1].end) == (dates.start, dates.end)
    assert all(one.end == after.start for one, after in pairwise(parts))
    assert len(parts) == {"daily": 39, "weekly": 4, "monthly": 2}[grain]
