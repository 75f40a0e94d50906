"""Every paginator serves the whole list, each row once, in the declared shape."""

from __future__ import annotations

import pytest

from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.sandbox.conftest import World

LISTS = ["companies", "people", "orders", "links", "feed", "log", "journal", "tags", "tickets"]


@pytest.mark.parametrize("resource", LISTS)
def test_reading_page_by_page_gives_exactly_the_rows(world: World, resource: str) -> None:
    truth = world.sandbox.rows("shop", resource)
    assert len(truth) > 20
    assert world.reader("shop", resource).rows() == truth


@pytest.mark.parametrize(
    ("resource", "size"), [("companies", 10), ("people", 7), ("links", 9), ("log", 12), ("orders", 25)]
)
def test_pages_have_the_size_asked_for_and_25_where_none_can_be(world: World, resource: str, size: int) -> None:
    *full, last = world.reader("shop", resource).pages()
    assert len(full) > 2
    assert {len(page) for page in full} == {size}
    assert 0 < len(last) <= size


@pytest.mark.parametrize(
    ("resource", "values"),
    [
        ("companies", {}),
        ("companies", {"page[page]": "one"}),
        ("companies", {"page[page]": "-1"}),
        ("companies", {"page[page]": "0", "page[limit]": "0"}),
        ("orders", {"page": "0"}),
        ("people", {"offset": ""}),
        ("feed", {"max_id": "none-such"}),
        ("journal", {"Parameters.Cursor": "x"}),
        ("log", {"Parameters.Page": True}),
    ],
)
def test_a_page_that_cannot_be_is_refused(world: World, resource: str, values: dict[str, object]) -> None:
    answer = world.reader("shop", resource).page(**values)
    assert answer.status == 400
    assert answer.body["error"]


@pytest.mark.parametrize(("resource", "values"), [("companies", {"page[page]": 999}), ("people", {"offset": 9999})])
def test_a_page_past_the_end_is_empty(world: World, resource: str, values: dict[str, object]) -> None:
    reader = world.reader("shop", resource)
    assert reader.records(reader.page(**values)) == []


def test_the_envelope_tells_what_was_declared_and_nothing_else(world: World) -> None:
    def page(resource: str, **values: object) -> dict[str, object]:
        body = world.reader("shop", resource).page(**values).body
        return {key: value for key, value in body.items() if key not in ("companies", "tickets", "data")}

    total = len(world.sandbox.rows("shop", "companies"))
    tickets = len(world.sandbox.rows("shop", "tickets"))
    assert page("companies", **{"page[page]": 0}) == {"meta": {"total": total}}
    assert page("tickets", page=1) == {"meta": {"total_pages": -(-tickets // 25)}}
    assert page("people", offset=0) == {"meta": {"more": True}}
    assert page("people", offset=9999) == {"meta": {"more": False}}


def test_a_link_repeats_the_query_and_is_missing_on_the_last_page(world: World) -> None:
    reader = world.reader("shop", "links")
    first = reader.page()
    assert first.body["links"]["next"].startswith(f"{world.base_url}/shop/links?account=7&size=9&")
    assert len(reader.rows()) == len(world.sandbox.rows("shop", "links"))
    assert "links" not in reader.ask({"size": 1000}).body


def test_an_overlapping_cursor_repeats_the_row_it_names_and_never_goes_away(world: World) -> None:
    reader = world.reader("shop", "feed")
    ids = [row["id"] for row in world.sandbox.rows("shop", "feed")]
    second = reader.page(max_id=ids[7])
    assert [record["id"] for record in reader.records(second)] == ids[7:15]
    last = reader.page(max_id=ids[-1])
    assert [record["id"] for record in reader.records(last)] == ids[-1:]
    assert last.body["meta"]["last"] == ids[-1]


def test_selectors_with_wildcards_find_their_records_in_groups(world: World) -> None:
    body = world.reader("shop", "log").page(**{"Parameters.Page": 1}).body
    assert [len(group["Entries"]) for group in body] == [3, 3, 3, 3]


def test_an_empty_list_has_no_rows_on_any_page(world: World) -> None:
    empty = FaultySandbox(world.sandbox.connections.values(), rows=0)
    assert [empty.rows("shop", resource) for resource in LISTS] == [[]] * len(LISTS)
    assert empty.rows("tracker", "visits") == []
