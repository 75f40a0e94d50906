"""Lists of parents: unchanged rows have theirs and are not read again for them, and those not seen lose nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from crm_assets_tests.conftest import Build
from crm_assets_tests.warehouse.living_api import Heard, LivingApi, listing, living_api
from crm_assets_tests.warehouse.test_increments import DAY, NOW, SINCE, Boards, since

BOARDS = listing("boards", {"updated_at": "timestamp"}, incremental=SINCE)
CARDS = listing(
    "cards",
    {"board_id": {"type": "bigint", "source": "{board_id}"}, "updated_at": "timestamp"},
    endpoint={"path": "/boards/{board_id}/cards"},
)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__DESK__TOKEN", "a-token-0123456789")


@pytest.fixture
def boards() -> Boards:
    found = Boards()
    found.cards = {1: {11: NOW - 9 * DAY}, 2: {21: NOW - 9 * DAY}}
    return found


@pytest.fixture
def cards(house: Build, tmp_path: Path, boards: Boards) -> Iterator[LivingApi]:
    """Boards read by change, and the cards of each."""
    with living_api(house, tmp_path, boards.answer, BOARDS, CARDS) as api:
        yield api


@pytest.fixture
def changed_cards(house: Build, tmp_path: Path, boards: Boards) -> Iterator[LivingApi]:
    """Boards read by change, and the cards of those that changed."""
    some = {**CARDS, "parent": {"resource": "boards", "only_changed": True}}
    with living_api(house, tmp_path, boards.answer, BOARDS, some) as api:
        yield api


def asked(heard: list[Heard]) -> tuple[bool, list[int]]:
    """Return whether the boards were read by change, and the boards whose cards were asked for."""
    (first,) = [one for one in heard if one.path == "/boards"]
    return since(first) is not None, sorted(int(one.path.split("/")[2]) for one in heard if one.path != "/boards")


def test_a_child_list_does_not_make_its_parent_be_read_in_full(cards: LivingApi, boards: Boards) -> None:
    assert asked(cards.sync()) == (False, [1, 2])
    boards.cards[3] = {31: NOW - 40 * DAY}
    boards.changed[3] = NOW
    boards.cards[1][12] = NOW
    assert asked(cards.sync()) == (True, [1, 2, 3])
    assert cards.ids("cards") == [11, 12, 21, 31]


def test_the_child_alone_reads_the_changes_of_its_parent(cards: LivingApi, boards: Boards) -> None:
    cards.sync()
    boards.cards[3] = {31: NOW - 40 * DAY}
    boards.changed[3] = NOW
    assert asked(cards.sync("cards")) == (True, [1, 2, 3])
    assert (cards.ids("cards"), cards.ids("boards")) == ([11, 21, 31], [1, 2])


def test_a_parent_that_is_gone_is_passed_over_and_found_by_the_next_run(cards: LivingApi, boards: Boards) -> None:
    boards.cards |= {key: {key * 10 + 1: NOW - 9 * DAY} for key in range(3, 8)}
    cards.sync()
    del boards.cards[2]
    assert asked(cards.sync()) == (True, [1, 2, 3, 4, 5, 6, 7])
    assert "board_id 2" in cards.complaints("cards")
    assert cards.ids("cards") == [11, 21, 31, 41, 51, 61, 71]
    assert asked(cards.sync()) == (False, [1, 3, 4, 5, 6, 7])
    assert cards.complaints("cards") == ""
    assert cards.ids("cards") == [11, 31, 41, 51, 61, 71]
    assert asked(cards.sync()) == (True, [1, 3, 4, 5, 6, 7])


def test_only_changed_parents_are_asked(changed_cards: LivingApi, boards: Boards) -> None:
    assert asked(changed_cards.sync()) == (False, [1, 2])
    assert asked(changed_cards.sync()) == (True, [])
    boards.changed[2] = datetime.now(timezone.utc)
    boards.cards[2][22] = NOW
    del boards.cards[2][21]
    assert asked(changed_cards.sync()) == (True, [2])
    assert changed_cards.ids("cards") == [11, 21, 22]


def test_parents_that_other_runs_brought_are_asked_for_later(changed_cards: LivingApi, boards: Boards) -> None:
    changed_cards.sync()
    boards.changed[2] = NOW - 2 * DAY
    boards.cards[2][22] = NOW - 2 * DAY
    changed_cards.sync("boards")
    boards.changed[1] = NOW - DAY
    changed_cards.sync("boards")
    boards.changed[1] = boards.changed[2] = NOW - 80 * DAY
    assert asked(changed_cards.sync()) == (True, [1, 2])
    assert changed_cards.ids("cards") == [11, 21, 22]
    assert asked(changed_cards.sync()) == (True, [])


def test_changed_parents_that_were_refused_are_asked_again(changed_cards: LivingApi, boards: Boards) -> None:
    changed_cards.sync()
    boards.changed[2], boards.cards[2][22] = NOW - 2 * DAY, NOW
    boards.refused = {2}
    assert asked(changed_cards.sync()) == (True, [2])
    boards.changed[2] = NOW - 80 * DAY
    assert asked(changed_cards.sync()) == (True, [2])
    boards.refused.clear()
    assert asked(changed_cards.sync()) == (True, [2])
    assert changed_cards.ids("cards") == [11, 21, 22]
    assert asked(changed_cards.sync()) == (True, [])


def test_a_full_refresh_of_the_parent_asks_all(changed_cards: LivingApi, boards: Boards) -> None:
    changed_cards.sync()
    del boards.cards[2][21]
    boards.cards[1] |= {12: NOW, 13: NOW, 14: NOW}
    changed_cards.sync(tags={"crm/full": "true"})
    assert changed_cards.ids("cards") == [11, 12, 13, 14]


UNSEEN: list[tuple[Any, str]] = [
    (403, "some lists were skipped"),
    ({"items": [{"id": "x", "no": 2}]}, "some records were rejected"),
    ({"items": [{"id": 20, "no": "A-2"}]}, "values of no did not fit their type"),
]
"""What hides a parent, and what is said of it."""


def test_rows_of_parents_that_were_not_seen_are_not_marked(house: Build, tmp_path: Path) -> None:
    """The lists of a lane are those of a board, and hang on it as its cards hang on the lane."""
    second: dict[str, Any] = {}

    def reply(path: str, _: dict[str, str]) -> Any:
        number = int(path.split("/")[2]) if path.count("/") > 1 else 0
        if path == "/boards":
            return {"items": [{"id": key} for key in (1, 2, 3, 4, 5)]}
        return second.get(path, {"items": [{"id": number * 10, "no": number}]})

    lanes = listing("lanes", {"no": "bigint"}, endpoint={"path": "/boards/{board_id}/lanes"})
    parent = {"resource": "lanes", "field": "no", "placeholder": "no"}
    cards = listing("cards", parent=parent, endpoint={"path": "/lanes/{no}/cards"})
    with living_api(house, tmp_path, reply, listing("boards"), lanes, cards) as api:
        api.sync()
        for second["/boards/2/lanes"], why in UNSEEN:
            api.installation.materialize(*(f"desk/{name}" for name in ("boards", "lanes", "cards")))
            assert api.ids("cards") == [10, 20, 30, 40, 50]
            said = f"Lists of some lanes may not have been read ({why}), so nothing was marked as deleted."
            assert api.complaints("cards") == said


def test_a_parent_whose_key_makes_no_address_costs_the_others_nothing(house: Build, tmp_path: Path) -> None:
    keys = ["", "..", "a/b"]
    tags = listing("tags", {"id": {"type": "text", "nullable": False}})
    posts = listing("posts", {"id": {"type": "text", "nullable": False}}, endpoint={"path": "/tags/{tag_id}/posts"})

    def reply(path: str, _: dict[str, str]) -> Any:
        return {"items": [{"id": key} for key in (keys if path == "/tags" else [path])]}

    with living_api(house, tmp_path, reply, tags, posts) as api:
        api.sync()
        assert [row["id"] for row in api.rows("posts")] == ["/tags/a%2Fb/posts"]
        assert "2 lists were skipped" in api.complaints("posts")
        assert "its address cannot be built" in api.complaints("posts")
