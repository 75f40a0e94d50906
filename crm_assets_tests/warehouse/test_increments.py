"""Increments: nothing a server says, refuses or adds late keeps a later change from being read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from crm_assets_tests.conftest import Build
from crm_assets_tests.orchestration.automation.helpers import definitions_of, look
from crm_assets_tests.warehouse.living_api import Heard, LivingApi, listing, living_api

NOW = datetime.now(timezone.utc)
DAY, YEAR = timedelta(days=1), timedelta(days=400)
on_both = pytest.mark.parametrize("destination", ["duckdb", "postgres"], indirect=True)
"""Of tests whose outcome depends on how the destination compares times."""
SINCE = {"field": "updated_at", "params": {"since": "{incremental.start_value}"}}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__DESK__TOKEN", "a-token-0123456789")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def since(heard: Heard) -> datetime | None:
    return instant(heard.query["since"]) if "since" in heard.query else None


def newer(records: dict[int, Any], query: dict[str, str]) -> list[dict[str, Any]]:
    start = instant(query["since"]) if "since" in query else None
    return [{"id": key, "updated_at": at.isoformat()} for key, at in records.items() if start is None or at >= start]


@pytest.fixture
def things(house: Build, tmp_path: Path) -> Iterator[tuple[LivingApi, dict[int, datetime]]]:
    """A list with a change filter, and its records."""
    records: dict[int, datetime] = {}
    declared = listing("things", {"updated_at": "timestamp"}, incremental=SINCE, max_delete_fraction=1)
    with living_api(house, tmp_path, lambda _, query: {"items": newer(records, query)}, declared) as api:
        yield api, records


def test_a_record_of_the_future_stops_no_later_read(things: tuple[LivingApi, dict[int, datetime]]) -> None:
    api, records = things
    records.update({1: NOW - 2 * DAY, 2: NOW - DAY, 3: NOW + YEAR})
    api.sync()
    for key in (4, 5):
        records[key] = datetime.now(timezone.utc)
        (asked,) = api.sync()
        assert since(asked) is not None
        assert api.ids("things") == list(range(1, key + 1))


def test_keys_of_an_increment_are_checked_after_it_and_all_keys_when_asked(
    things: tuple[LivingApi, dict[int, datetime]],
) -> None:
    api, records = things
    records.update({1: NOW - 2 * DAY, 2: NOW - DAY})
    api.sync()
    api.installation.change("INSERT INTO desk.things SELECT * FROM desk.things WHERE id = 1")
    records[3] = datetime.now(timezone.utc)
    result = api.installation.materialize("desk/things")
    (after,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "primary_key"]
    assert (after.passed, after.description) == (True, "Every row that this read changed has its own id.")
    alone = api.installation.check("desk/things", "primary_key")["primary_key"]
    assert not alone.passed
    assert "1 key is on several rows" in str(alone.description)


def test_reads_of_a_clock_that_was_ahead_hide_no_later_ones(things: tuple[LivingApi, dict[int, datetime]]) -> None:
    api, records = things
    records.update({1: NOW - 2 * DAY, 2: NOW - DAY})
    api.sync()
    ahead = ", ".join(f"{name} = {name} + INTERVAL 400 DAY" for name in ("started_at", "finished_at"))
    api.installation.change(f"UPDATE desk._reads SET {ahead}")
    records[3] = datetime.now(timezone.utc)
    (asked,) = api.sync()
    assert (since(asked) is not None, api.ids("things")) == (True, [1, 2, 3])
    modes = [row["mode"] for row in api.installation.query("SELECT mode FROM desk._reads ORDER BY finished_at")]
    assert modes == ["full_refresh", "incremental"]


def test_a_list_of_nothing_but_the_future_is_read_on(things: tuple[LivingApi, dict[int, datetime]]) -> None:
    api, records = things
    records[1] = NOW + YEAR
    api.sync()
    records[2] = datetime.now(timezone.utc)
    (asked,) = api.sync()
    assert since(asked) is not None
    assert api.ids("things") == [1, 2]


def test_the_next_read_starts_before_the_last_one_began(house: Build, tmp_path: Path) -> None:
    """What changes while a list is read may be missed by it, whatever newer change it shows."""
    began: list[datetime] = []

    def answer(_: str, query: dict[str, str]) -> Any:
        began.append(datetime.now(timezone.utc))
        return {"items": [{"id": 1, "updated_at": (began[0] + timedelta(seconds=30)).isoformat()}]}

    declared = listing("things", {"updated_at": "timestamp"}, incremental={**SINCE, "lookback": "0s"})
    with living_api(house, tmp_path, answer, declared) as api:
        api.sync()
        (asked,) = api.sync()
        start = since(asked)
        assert start is not None
        assert NOW <= start <= began[0]


@on_both
def test_a_clock_that_was_ahead_does_not_matter(things: tuple[LivingApi, dict[int, datetime]]) -> None:
    api, records = things
    records.update({1: NOW - DAY, 2: NOW + YEAR})
    api.sync()
    api.installation.change("UPDATE desk._reads SET started_at = started_at + INTERVAL '500' DAY")
    records[3] = datetime.now(timezone.utc)
    api.sync()
    assert api.ids("things") == [1, 2, 3]


def test_the_change_sensor_sees_past_a_record_of_the_future(things: tuple[LivingApi, dict[int, datetime]]) -> None:
    api, records = things
    records.update({1: NOW - DAY, 2: NOW + YEAR})
    api.sync()
    definitions = definitions_of(list(api.installation.connections.values()), api.installation.warehouse)
    quiet = look(definitions, "desk_changes", api.installation.instance)
    assert quiet.skip_message == "Nothing new in things."
    for key in (3, 4):
        records[key] = datetime.now(timezone.utc)
        assert look(definitions, "desk_changes", api.installation.instance, quiet.cursor).run_requests
        api.sync()


def test_a_list_is_read_in_full_once_a_week(things: tuple[LivingApi, dict[int, datetime]]) -> None:
    api, records = things
    records.update({1: NOW - 30 * DAY, 2: NOW - DAY})
    api.sync()
    del records[1]
    api.sync()
    assert api.ids("things") == [1, 2]
    api.installation.change("UPDATE desk._reads SET finished_at = finished_at - INTERVAL '8' DAY")
    (asked,) = api.sync()
    assert since(asked) is None
    assert api.ids("things") == [2]
    records[1] = records[3] = datetime.now(timezone.utc)
    api.sync()
    assert api.ids("things") == [1, 2, 3]
    logged = api.installation.query("SELECT table_rows FROM desk._reads ORDER BY finished_at")
    assert [row["table_rows"] for row in logged] == [2, 2, 1, 3]


BOARDS = listing("boards")
CARDS = listing(
    "cards",
    {"board_id": {"type": "bigint", "source": "{board_id}"}, "updated_at": "timestamp"},
    endpoint={"path": "/boards/{board_id}/cards"},
    incremental=SINCE,
)


class Boards:
    """An API of boards and their cards."""

    def __init__(self) -> None:
        self.cards: dict[int, dict[int, datetime]] = {}
        self.changed: dict[int, datetime] = {}
        self.refused: set[int] = set()
        self.gone: set[int] = set()

    def answer(self, path: str, query: dict[str, str]) -> Any:
        parts = path.split("/")
        if len(parts) == 2:
            return {"items": newer({key: self.changed.get(key, NOW - 90 * DAY) for key in self.cards}, query)}
        board = int(parts[2])
        if board not in self.cards:
            return 404
        if board in self.refused:
            return 403
        return {"items": newer(self.cards[board], query)}


@pytest.fixture
def boards() -> Boards:
    return Boards()


@pytest.fixture
def cards(house: Build, tmp_path: Path, boards: Boards) -> Iterator[LivingApi]:
    """Boards that are read in full, cards that are read by change, per board."""
    with living_api(house, tmp_path, boards.answer, BOARDS, CARDS) as api:
        yield api


def starts(heard: list[Heard]) -> dict[int, datetime | None]:
    return {int(one.path.split("/")[2]): since(one) for one in heard if one.path.endswith("/cards")}


def test_every_parent_has_a_start_of_its_own(cards: LivingApi, boards: Boards) -> None:
    boards.cards = {1: {11: NOW - DAY}, 2: {21: NOW - 40 * DAY}, 3: {}}
    cards.sync()
    hour = timedelta(hours=1)
    assert starts(cards.sync()) == {
        1: pytest.approx(NOW - DAY - hour, abs=timedelta(seconds=1)),
        2: pytest.approx(NOW - 40 * DAY - hour, abs=timedelta(seconds=1)),
        3: None,
    }


def test_lists_of_new_and_reopened_parents_are_read_from_their_beginning(cards: LivingApi, boards: Boards) -> None:
    boards.cards = {1: {11: NOW - DAY}, 2: {21: NOW - 40 * DAY}}
    boards.refused = {2}
    cards.sync()
    assert cards.ids("cards") == [11]
    boards.refused.clear()
    boards.cards[3] = {31: NOW - 40 * DAY}
    asked = starts(cards.sync())
    assert (asked[2], asked[3]) == (None, None)
    assert cards.ids("cards") == [11, 21, 31]


def test_a_parent_refused_for_a_while_goes_on_where_it_was(cards: LivingApi, boards: Boards) -> None:
    boards.cards = {1: {11: NOW - 9 * DAY}, 2: {21: NOW - 9 * DAY}}
    cards.sync()
    boards.refused = {2}
    boards.cards[1][12], boards.cards[2][22] = NOW - DAY, NOW - 8 * DAY
    cards.sync()
    assert cards.ids("cards") == [11, 12, 21]
    boards.refused.clear()
    cards.sync()
    assert cards.ids("cards") == [11, 12, 21, 22]


@on_both
def test_a_date_of_the_future_holds_up_no_parent(cards: LivingApi, boards: Boards) -> None:
    boards.cards = {1: {11: NOW - DAY}, 2: {21: NOW + YEAR, 22: NOW - DAY}, 3: {31: NOW + YEAR}}
    cards.sync()
    for board in boards.cards:
        boards.cards[board][board * 10 + 5] = datetime.now(timezone.utc)
    assert None not in starts(cards.sync()).values()
    assert cards.ids("cards") == [11, 15, 21, 22, 25, 31, 35]


def test_first_pages_of_a_list_that_was_refused_later_do_not_count(house: Build, tmp_path: Path) -> None:
    """The list of board 2 breaks off after a page that shows its newest card."""
    records = {1: {11: NOW - DAY}, 2: {21: NOW - timedelta(hours=2), 22: NOW - 40 * DAY}}
    refused = {2}

    def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/boards":
            return {"items": [{"id": key} for key in records]}
        board, page = int(path.split("/")[2]), int(query["page"])
        if board in refused and page > 1:
            return 403
        return {"items": newer(records[board], query)[page - 1 : page]}

    paginator = {"type": "page_number", "page_param": "page", "start_from_page": 1, "end": "empty_page"}
    paged = {**CARDS, "endpoint": {**CARDS["endpoint"], "paginator": paginator}}
    with living_api(house, tmp_path, answer, BOARDS, paged) as api:
        api.sync()
        assert "board_id 2" in api.complaints("cards")
        refused.clear()
        api.sync()
        assert api.ids("cards") == [11, 21, 22]


def test_without_a_column_for_the_parent_lists_are_read_in_full(house: Build, tmp_path: Path, boards: Boards) -> None:
    boards.cards = {1: {11: NOW - DAY}}
    anonymous = {**CARDS, "columns": {name: one for name, one in CARDS["columns"].items() if name != "board_id"}}
    with living_api(house, tmp_path, boards.answer, BOARDS, anonymous) as api:
        api.sync()
        boards.cards[2] = {21: NOW - 40 * DAY}
        assert starts(api.sync()) == {1: None, 2: None}
        assert api.ids("cards") == [11, 21]


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo"])
def test_times_of_the_year_one_stop_nothing(house: Build, tmp_path: Path, zone: str) -> None:
    """.NET writes them where a time is not set."""
    records = [{"id": 1, "updated_at": "0001-01-01T00:00:00Z"}]
    things = listing("things", {"updated_at": "timestamp"}, incremental=SINCE)
    with living_api(house, tmp_path, lambda *_: {"items": records}, things, timezone=zone) as api:
        api.sync()
        records.append({"id": 2, "updated_at": (NOW - DAY).isoformat()})
        assert [asked.query for asked in api.sync()] == [{"since": "0001-01-03T00:00:00.000Z"}]
        assert api.ids("things") == [1, 2]


def test_days_start_no_later_than_those_of_utc(house: Build, tmp_path: Path) -> None:
    newest = datetime.combine((NOW - DAY).date(), time(12), timezone.utc)  # the next day in Kiritimati
    things = listing("things", {"updated_at": "timestamp"}, incremental={**SINCE, "format": "date", "lookback": "0s"})
    answer = {"items": [{"id": 1, "updated_at": newest.isoformat()}]}
    with living_api(house, tmp_path, lambda *_: answer, things, timezone="Pacific/Kiritimati") as api:
        api.sync()
        assert [asked.query for asked in api.sync()] == [{"since": newest.date().isoformat()}]


def test_a_record_that_changes_while_numbered_pages_are_read_hides_no_other(house: Build, tmp_path: Path) -> None:
    """Sorted by their last change, it moves to the end, and all behind it to the page before."""
    changed = {key: NOW - timedelta(hours=40 - key) for key in range(1, 7)}

    def answer(_: str, query: dict[str, str]) -> Any:
        page = int(query["page"])
        if page == 2 and changed[1] < NOW:
            changed[1] = NOW
        records = sorted(newer(changed, query), key=lambda record: str(record["updated_at"]))
        return {"items": records[page * 2 - 2 : page * 2]}

    paginator = {"type": "page_number", "page_param": "page", "end": "empty_page"}
    things = listing("things", {"updated_at": "timestamp"}, incremental=SINCE, endpoint={"paginator": paginator})
    with living_api(house, tmp_path, answer, things, concurrency=1) as api:
        api.sync()
        assert api.ids("things") == [1, 2, 4, 5, 6]
        assert "1 record was changed and came again" in api.complaints("things")
        api.sync()
        assert (api.ids("things"), api.complaints("things")) == ([1, 2, 3, 4, 5, 6], "")
