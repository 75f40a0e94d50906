"""Walks: each way to page, each rule that ends a list, and each guard that refuses an end that was not seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from crm_assets.declarations.models.paginator import Paginator
from crm_assets.extract.decode.record_validator import RecordValidator
from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.client import Answer
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.list_memory import ListFacts, ListMemory
from crm_assets.extract.paging.page import Page, PagingState
from crm_assets.extract.paging.paginate import walk
from crm_assets.extract.paging.response_body import open_body
from crm_assets_tests.extract.declared import endpoint, resource

Body = dict[str, Any]
Serve = Callable[[Request], "Body | int"]

_PAGINATORS: TypeAdapter[Paginator] = TypeAdapter(Paginator)
_CHECK = RecordValidator(resource({"id": {"type": "bigint", "nullable": False}}))
_ENDPOINT = endpoint()
_URL = "https://api.example/things"


def pages(**keys: Any) -> Paginator:
    """Return a paginator from keys of the dialect."""
    return _PAGINATORS.validate_python({"type": "page_number", **keys})


def body(*ids: int, **beside: Any) -> Body:
    """Return a page."""
    return {"data": [{"id": number} for number in ids], **beside}


@dataclass
class Read:
    """What a walk delivered and asked for."""

    ids: list[int] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    walked: PagingState = field(default_factory=PagingState)
    in_flight: int = 0
    crowd: int = 0
    """Greatest number of requests in flight."""

    def params(self, name: str) -> list[Any]:
        """Return a parameter of all requests."""
        return [request.params.get(name) for request in self.asked]


def read(
    paginator: Paginator,
    serve: Serve,
    ahead: int = 1,
    pauses: tuple[int, ...] = (0,),
    memory: ListMemory | None = None,
) -> Read:
    """Walk over what a function answers to each request: a body, or a status that is an error.

    Args:
        paginator: How to walk.
        serve: The API.
        ahead: Greatest number of requests in flight.
        pauses: How long requests take, in turns of the event loop, one after the other.
        memory: What is known of the list.
    """
    seen = Read(walked=PagingState(memory or ListMemory()))

    async def fetch(request: Request, name: str) -> Page:
        seen.asked.append(request)
        seen.in_flight += 1
        seen.crowd = max(seen.crowd, seen.in_flight)
        try:
            for _ in range(pauses[len(seen.asked) % len(pauses)]):
                await asyncio.sleep(0)
            found = serve(request)
        finally:
            seen.in_flight -= 1
        if isinstance(found, int):
            raise ReadError(f"{name}: refused with {found}", status=found)
        envelope = open_body(Answer(json.dumps(found).encode(), "application/json"), _ENDPOINT)
        verdict = _CHECK(envelope.records)
        records = Records(envelope.records, None, (), verdict.fits, verdict.count, verdict.fingerprint)
        return Page(envelope, records)

    async def run() -> None:
        async for page in walk(paginator, Request("GET", _URL, {"q": "all"}), fetch, seen.walked, ahead):
            seen.ids += [record["id"] for record in json.loads(page.records.array)]

    asyncio.run(run())
    assert seen.in_flight == 0, "a walk leaves no request behind"
    return seen


def numbered(*bodies: Body | int, start: int = 1, param: str = "page") -> Serve:
    """Serve these pages by number; whatever lies beyond is the last of them."""
    return lambda request: bodies[min(int(request.params[param]) - start, len(bodies) - 1)]


def refused(paginator: Paginator, serve: Serve, ahead: int = 1) -> str:
    """Return the reason a walk is refused with."""
    with pytest.raises(ReadError) as refusal:
        read(paginator, serve, ahead)
    return refusal.value.problem


EMPTY = pages(end="empty_page")
SHORT = pages(end="short_page", limit_param="size", limit=2)
TOTAL = pages(end="total_pages", total_pages_path="meta.pages")
MORE = pages(end="has_more", has_more_path="more")
LINK = pages(type="json_link", next_url_path="links.next")
CURSOR = pages(type="cursor", cursor_path="next", cursor_param="after")

# ------------------------------------------------------------------------------------------------ truthful servers


def _honest(kind: str, count: int, size: int, start: int) -> tuple[Paginator, Serve]:
    """Return a paginator and an API that serves ``count`` records by it."""
    total = -(-count // size)

    def slice_(index: int) -> Body:
        first = index * size
        told = {"meta": {"pages": total, "records": count}, "more": index < total - 1}
        link = {"links": {"next": f"{_URL}?at={index + 1}"} if index < total - 1 else {}}
        return body(*range(first, min(first + size, count)), **told, **link)

    def overlapping(request: Request) -> Body:
        first = int(request.params.get("max_id", 0))
        ids = range(first, min(first + size + 1, count))
        return body(*ids, last=ids[-1] if ids else None)

    if kind == "overlap":
        return pages(type="cursor", cursor_path="last", cursor_param="max_id", overlap=True), overlapping
    if kind == "cursor":
        return CURSOR, lambda request: {
            **slice_(index := int(request.params.get("after", 0))),
            "next": index + 1 if index < total - 1 else None,
        }
    if kind == "json_link":
        return LINK, lambda request: slice_(int(request.url.partition("?at=")[2] or 0))
    if kind == "offset":
        offset = pages(type="offset", limit_param="limit", limit=size, start_offset=start, end="short_page")
        return offset, lambda request: slice_((request.params["offset"] - start) // size)
    ends: dict[str, Body] = {
        "empty_page": {"end": "empty_page"},
        "short_page": {"end": "short_page", "limit_param": "size", "limit": size},
        "total_pages": {"end": "total_pages", "total_pages_path": "meta.pages"},
        "total_pages beside": {"end": "empty_page", "total_pages_path": "meta.pages"},
        "has_more": {"end": "has_more", "has_more_path": "more"},
        "no_next_link": {"end": "no_next_link", "next_link_path": "links.next", "limit_param": "size", "limit": size},
    }
    paginator = pages(start_from_page=start, total_records_path="meta.records", **ends[kind])
    return paginator, lambda request: slice_(request.params["page"] - start)


_KINDS = ["empty_page", "short_page", "total_pages", "total_pages beside", "has_more", "no_next_link"]


@pytest.mark.parametrize("kind", [*_KINDS, "offset", "json_link", "cursor", "overlap"])
@given(
    st.integers(0, 23),
    st.integers(1, 6),
    st.sampled_from([0, 1]),
    st.integers(1, 8),
    st.lists(st.integers(0, 5), min_size=1, max_size=7).map(tuple),
)
@settings(max_examples=60, deadline=None)
def test_every_record_comes_once_and_in_order(
    kind: str, count: int, size: int, start: int, ahead: int, pauses: tuple[int, ...]
) -> None:
    paginator, serve = _honest(kind, count, size, start)
    seen = read(paginator, serve, ahead, pauses)
    expected = list(range(count))
    assert (sorted(set(seen.ids)) if kind == "overlap" else seen.ids) == expected
    assert seen.walked.ended_by
    assert seen.crowd <= ahead
    full = -(-count // size)
    if kind.startswith("total"):
        assert len(seen.asked) == max(full, 1)
    if kind in _KINDS:
        assert len(seen.asked) <= full + 2
        assert seen.walked.reported_total == count
        assert seen.params("q") == ["all"] * len(seen.asked)


# ------------------------------------------------------------------------------------------------ what is asked


def test_a_single_page_is_asked_for_once_without_paging_parameters() -> None:
    seen = read(pages(type="single_page"), lambda _: body(1, 2))
    assert seen.ids == [1, 2]
    assert [request.params for request in seen.asked] == [{"q": "all"}]
    assert (seen.walked.pages, seen.walked.ended_by) == (1, "single page")


def test_page_numbers_may_stand_in_the_body() -> None:
    paginator = pages(
        location="json", page_param="Parameters.Page", limit_param="Parameters.Size", limit=2, end="short_page"
    )
    bodies = {1: body(1, 2), 2: body(3), 3: body()}
    seen = read(paginator, lambda request: bodies[(request.json or {})["Parameters"]["Page"]])
    assert seen.ids == [1, 2, 3]
    assert [request.json for request in seen.asked] == [
        {"Parameters": {"Page": 1, "Size": 2}},
        {"Parameters": {"Page": 2, "Size": 2}},
        {"Parameters": {"Page": 3, "Size": 2}},
    ]
    assert {tuple(request.params) for request in seen.asked} == {("q",)}


def test_offsets_count_records() -> None:
    paginator = pages(type="offset", offset_param="from", limit_param="n", limit=2, end="empty_page")
    bodies = {0: body(1, 2), 2: body(3), 3: body()}
    seen = read(paginator, lambda request: bodies[request.params["from"]])
    assert (seen.ids, seen.params("from"), seen.params("n")) == ([1, 2, 3], [0, 2, 3], [2, 2, 2])


def test_a_link_is_followed_as_it_stands() -> None:
    links = {
        _URL: "/things?page=2&q=all",
        "https://api.example/things?page=2&q=all": "https://api.example/v2/things",
        "https://api.example/v2/things": "",
    }
    seen = read(LINK, lambda request: body(len(request.url), links={"next": links[request.url]}))
    assert [request.url for request in seen.asked] == list(links)
    assert [request.params for request in seen.asked] == [{"q": "all"}, {}, {}]
    assert seen.walked.ended_by == "page 3 links to no further page"


def test_pages_are_fetched_ahead_only_as_far_as_the_list_is_known_to_reach() -> None:
    full = [body(2 * index, 2 * index + 1) for index in range(6)]
    assert read(EMPTY, numbered(*full, body()), ahead=4, pauses=(3,)).crowd == 1
    told = [{**page, "meta": {"pages": 6}} for page in full]
    seen = read(TOTAL, numbered(*told, 599), ahead=4, pauses=(3,))
    assert (seen.crowd, sorted(seen.params("page"))) == (4, [1, 2, 3, 4, 5, 6])


# ------------------------------------------------------------------------------------------------ ends and their guards


@pytest.mark.parametrize("beyond", [body(), 400, 404, 416, 422])
def test_an_empty_page_after_a_full_one_is_confirmed_by_the_next(beyond: Body | int) -> None:
    seen = read(EMPTY, numbered(body(1, 2), body(), beyond))
    assert (seen.ids, seen.params("page")) == ([1, 2], [1, 2, 3])
    assert seen.walked.ended_by == "page 2 is empty"


def test_an_empty_page_after_a_short_one_needs_no_confirmation() -> None:
    assert read(EMPTY, numbered(body(1, 2), body(3), body(), 599)).params("page") == [1, 2, 3]


@pytest.mark.parametrize(
    ("paginator", "bodies", "problem"),
    [
        (EMPTY, [body(1, 2), body(), body(3, 4)], "page 2 is empty, but page 3 has 2 records"),
        (EMPTY, [body(1, 2), body(), 500], "page 3: refused with 500"),
        (EMPTY, [body(1, 2), body(), 401], "page 3: refused with 401"),
        (EMPTY, [body(1, 2), 404, body(3)], "page 2 does not exist, but page 3 has 1 records"),
        (EMPTY, [body(1, 2), 403], "page 2: refused with 403"),
        (MORE, [body(1, more=True), 404], "page 2: refused with 404"),
        (EMPTY, [body(1, 2), body(1, 2)], "page 2 repeats the page before: the server ignores the paging parameter"),
        (EMPTY, [body(1), body(1)], "page 2 repeats the page before"),
        (EMPTY, [body(1), body(2), body(1)], "page 3 repeats an earlier page: the server begins"),
        (SHORT, [body(1, 2), body(3, 4), body(3, 4), body(5)], "page 3 repeats the page before, but page 4 has 1"),
        (TOTAL, [body(1), body(2)], "page 1 does not report 'meta.pages', which ends the list"),
        (TOTAL, [body(1, meta={"pages": 2}), body(2)], "page 2 does not report 'meta.pages'"),
        (TOTAL, [body(1, meta={"pages": None})], "page 1 does not report 'meta.pages'"),
        (TOTAL, [body(1, meta={"pages": "many"})], "page 1 reports 'many' at 'meta.pages', which is not a count"),
        (TOTAL, [body(1, meta={"pages": True})], "page 1 does not report 'meta.pages'"),
        (
            TOTAL,
            [body(1, meta={"pages": 3}), body(meta={"pages": 3}), body(2, meta={"pages": 3})],
            "page 2 of 3 is empty, though pages follow it",
        ),
        (MORE, [body(1), body(2)], "page 1 does not report 'more', which ends the list, but page 2 has 1"),
        (MORE, [body(1, more=True), body(more=True)], "page 2 is empty, though the server says that more follow"),
        (LINK, [body(1, links={"next": 7})], "page 1 links to something that is not a link"),
        (LINK, [body(1, links={"next": {"href": "/x"}})], "page 1 links to something that is not a link"),
        (LINK, [body(1, links={"next": "http://[x"})], "something that is not a valid address"),
    ],
)
@pytest.mark.parametrize("ahead", [1, 3])
def test_an_end_that_was_not_seen_is_refused(
    paginator: Paginator, bodies: list[Body | int], problem: str, ahead: int
) -> None:
    def serve(request: Request) -> Body | int:
        return numbered(*bodies)(request) if "page" in request.params else bodies[0]

    assert problem in refused(paginator, serve, ahead)


def test_a_told_number_of_pages_counts_even_where_a_later_page_is_silent() -> None:
    paginator = pages(end="empty_page", total_pages_path="meta.pages")
    silent = [body(1, 2, meta={"pages": 3}), body(3, 4), body(5)]
    assert read(paginator, numbered(*silent, 599)).ids == [1, 2, 3, 4, 5]
    hollow = [body(1, 2, meta={"pages": 3}), body(), body(5)]
    assert refused(paginator, numbered(*hollow)) == "page 2 of 3 is empty, though pages follow it"


def test_a_list_may_grow_or_shrink_by_a_page_while_it_is_read() -> None:
    grown = [body(1, meta={"pages": 1 + 1}), body(2, meta={"pages": 3}), body(3, meta={"pages": 3})]
    assert read(TOTAL, numbered(*grown)).ids == [1, 2, 3]
    shrunk = [body(1, meta={"pages": 3}), body(2, meta={"pages": 2}), body(3, meta={"pages": 2})]
    assert read(TOTAL, numbered(*shrunk)).ids == [1, 2]


@pytest.mark.parametrize("told", [0, 1, "1"])
def test_a_list_of_one_page_or_none(told: Any) -> None:
    seen = read(TOTAL, numbered(body(meta={"pages": told}), 599), ahead=4)
    assert (seen.ids, seen.params("page")) == ([], [1])


def test_the_number_of_records_is_taken_from_the_last_page_that_tells_it() -> None:
    paginator = pages(end="has_more", has_more_path="more", total_records_path="count")
    served = [body(1, more=True, count=2), body(2, more=True, count="3"), body(3, more=False)]
    assert read(paginator, numbered(*served)).walked.reported_total == 3


def test_a_list_that_links_in_a_circle_is_left() -> None:
    following = {_URL: "?b", _URL + "?b": "?c", _URL + "?c": "?b"}

    def serve(request: Request) -> Body:
        return body(len(request.url) + ord(request.url[-1]), links={"next": following[request.url]})

    assert refused(LINK, serve) == "page 3 names a page that was already read: the pages form a loop"


def test_a_list_whose_cursors_go_in_a_circle_is_left() -> None:
    following = {None: "b", "b": "c", "c": "b"}

    def serve(request: Request) -> Body:
        after = request.params.get("after")
        return body(ord(after or "a"), next=following[after])

    assert "names a page that was already read" in refused(CURSOR, serve)


def test_a_server_that_ignores_the_cursor_is_noticed() -> None:
    assert "page 2 repeats the page before" in refused(CURSOR, lambda _: body(1, 2, next="n"))
    growing = iter(range(100))
    assert refused(CURSOR, lambda _: body(next(growing), next="n")) == (
        "page 2 names itself as the next one, but another page came: the server ignores after"
    )


@pytest.mark.parametrize("last", [None, "", False])
def test_a_cursor_list_ends_where_no_cursor_is_named(last: Any) -> None:
    seen = read(CURSOR, lambda request: body(2, next=last) if "after" in request.params else body(1, next="n"))
    assert (seen.ids, seen.params("after")) == ([1, 2], [None, "n"])
    assert seen.walked.ended_by == "page 2 names no further cursor"


def test_a_failing_page_ends_the_walk_and_leaves_no_request_behind() -> None:
    served: list[Body | int] = [
        body(1, meta={"pages": 5}),
        500,
        *[body(index, meta={"pages": 5}) for index in (3, 4, 5)],
    ]
    assert refused(TOTAL, numbered(*served), ahead=4) == "page 2: refused with 500"


# ----------------------------------------------------------------------------------------------- what servers really do


@pytest.mark.parametrize("end", ["short_page", "empty_page"])
@pytest.mark.parametrize("kind", ["page_number", "offset"])
@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 7), st.sets(st.integers(0, 39), max_size=6))
@example(8, 3, 3, {0, 2, 3, 5, 6})  # three offsets in a row show the same record
@settings(max_examples=80, deadline=None)
def test_records_left_out_and_a_smaller_page_than_asked_for_lose_nothing(
    kind: str, end: str, count: int, asked: int, most: int, hidden: set[int]
) -> None:
    size = min(asked, most)
    shown = [number for number in range(count) if number not in hidden]
    starts = range(0, count, size)
    pages_shown = [[number for number in shown if start <= number < start + size] for start in starts]
    assume(all(pages_shown[:-1]))  # an empty page in the middle is refused, or is the end by the rule
    assume(kind == "page_number" or all({*range(n, n + size)} - hidden for n in range(count - size)))

    def serve(request: Request) -> Body:
        first = request.params["offset"] if kind == "offset" else (request.params["page"] - 1) * size
        return body(*(number for number in shown if first <= number < first + size))

    try:
        found = read(pages(type=kind, end=end, limit_param="size", limit=asked), serve).ids
    except ReadError:
        assert kind == "offset"
        assert hidden, "offsets that advance by what was read may meet an empty page between records"
    else:
        assert sorted(set(found)) == shown


def test_offsets_rounded_down_to_pages_that_show_one_record_each_lose_nothing() -> None:
    shown = [1, 4, 7]

    def serve(request: Request) -> Body:
        first = request.params["offset"] // 3 * 3
        return body(*(number for number in shown if first <= number < first + 3))

    found = read(pages(type="offset", end="empty_page", limit_param="size", limit=3), serve)
    assert sorted(set(found.ids)) == shown
    assert found.params("offset") == [*range(10)]


def test_a_short_page_is_trusted_once_it_was_confirmed_and_is_clearly_short() -> None:
    known = ListMemory(ListFacts(fullest=10, short_ends=True), ListFacts(short_ends=True))
    paginator = pages(end="short_page", limit_param="size", limit=20)
    assert read(paginator, numbered(body(1), 599), memory=known).params("page") == [1]
    assert read(paginator, numbered(body(*range(6)), body()), memory=known).params("page") == [1, 2]
    fresh = ListMemory(ListFacts(fullest=10, short_ends=True))
    assert read(paginator, numbered(body(1), body()), memory=fresh).params("page") == [1, 2], "once in each read"
    assert read(paginator, numbered(body(1), 599), memory=fresh).params("page") == [1], "and not a second time"
    uneven = ListMemory(ListFacts(fullest=10, short_ends=True, uneven=True), ListFacts(short_ends=True))
    assert read(paginator, numbered(body(1), body()), memory=uneven).params("page") == [1, 2]


def test_the_lists_of_a_first_read_learn_from_each_other() -> None:
    paginator, memory = pages(end="short_page", limit_param="size", limit=20), ListMemory()
    assert read(paginator, numbered(body(*range(10)), body()), memory=memory).params("page") == [1, 2]
    assert read(paginator, numbered(body(*range(5)), 599), memory=memory).params("page") == [1]
    assert read(paginator, numbered(body(*range(6)), body()), memory=memory).params("page") == [1, 2]
    longer = read(paginator, numbered(body(*range(12)), body(90), body()), memory=memory)
    assert longer.params("page") == [1, 2, 3]
    assert read(paginator, numbered(body(1), body()), memory=memory).params("page") == [1, 2], "no longer trusted"


@pytest.mark.parametrize("paginator", [EMPTY, SHORT])
def test_an_empty_first_page_needs_no_confirmation(paginator: Paginator) -> None:
    assert read(paginator, numbered(body(), 599)).params("page") == [1]


@pytest.mark.parametrize("paginator", [EMPTY, SHORT])
@pytest.mark.parametrize("beyond", [404, 416])
def test_a_page_that_does_not_exist_is_behind_the_end(paginator: Paginator, beyond: int) -> None:
    assert read(paginator, numbered(body(1, 2), body(3), beyond)).params("page") == [1, 2, 3]
    assert read(paginator, numbered(body(1, 2), body(3, 4), beyond)).ids == [1, 2, 3, 4]


@pytest.mark.parametrize("paginator", [EMPTY, SHORT])
def test_a_page_behind_the_end_may_repeat_the_last(paginator: Paginator) -> None:
    seen = read(paginator, numbered(body(1, 2), body(3, 4), body(5, 6), body(5, 6)))
    assert (seen.ids, seen.params("page")) == ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5])
    again = read(paginator, numbered(body(1, 2), body(3, 4), body(3, 4)), memory=ListMemory(seen.walked.memory.now))
    assert again.params("page") == [1, 2, 3]


@pytest.mark.parametrize("flag", [False, 0, "0", "false", "False", "no", ""])
def test_flags_that_say_no(flag: Any) -> None:
    assert read(MORE, numbered(body(1, more=1), body(2, more="true"), body(3, more=flag), 599)).ids == [1, 2, 3]


@pytest.mark.parametrize("total", [3, "3", 3.0])
def test_totals_may_be_text(total: Any) -> None:
    paginator = pages(end="short_page", limit_param="size", limit=2, total_records_path="count")
    seen = read(paginator, numbered(body(1, 2, count=total), body(3, count=total), 599))
    assert (seen.ids, seen.walked.reported_total) == ([1, 2, 3], 3)


@pytest.mark.parametrize("last", [0, "0", None, "", False, "null"])
def test_cursors_that_lead_nowhere(last: Any) -> None:
    assert read(CURSOR, lambda request: body(1, next=last)).ids == [1]


@pytest.mark.parametrize("most", [3, 10])
@pytest.mark.parametrize("end", ["short_page", "empty_page"])
@pytest.mark.parametrize("hidden", [set(), {1}, {3, 4, 5}])
@pytest.mark.parametrize("behind", [None, 404, "last", "empty"])
def test_a_short_or_empty_page_that_names_another_is_confirmed(
    most: int, end: str, hidden: set[int], behind: Any
) -> None:
    """A server may serve shorter pages than asked for, and leave out records: what ends the list is the page after."""

    last: list[Body] = []

    def serve(request: Request) -> Body | int:
        start = request.params.get("after", 0)
        if start >= 8 and behind != "empty":
            return last[-1] if behind == "last" else 404
        numbers = [number for number in range(start, min(start + most, 8)) if number not in hidden]
        last.append(body(*numbers, next=start + most if behind or start + most < 8 else None))
        return last[-1]

    paginator = pages(type="cursor", cursor_path="next", cursor_param="after", end=end, limit_param="size", limit=10)
    if behind in (404, "last") and end == "empty_page":
        return  # such a list never has an empty page, and its declaration is wrong
    assert read(paginator, serve).ids == [number for number in range(8) if number not in hidden]


@pytest.mark.parametrize(
    ("paginator", "beside"),
    [
        (pages(end="total_records", total_records_path="total", limit_param="size", limit=2), {"total": 4}),
        (pages(end="total_pages", total_pages_path="pages", limit_param="size", limit=2), {"pages": 2}),
        (pages(end="has_more", has_more_path="more", limit_param="size", limit=2), {}),
    ],
)
@pytest.mark.parametrize("behind", [body(), body(1, 2), body(3, 4), 400, 404])
def test_a_full_page_that_completes_a_count_is_confirmed(
    paginator: Paginator, beside: Body, behind: Body | int
) -> None:
    more = [{"more": True}, {}] if not beside else [{}, {}]
    served = [body(1, 2, **beside, **more[0]), body(3, 4, **beside, **more[1])]
    if not beside and behind == body(1, 2):
        return  # a server that says nothing of an end may have mixed its pages up
    assert read(paginator, numbered(*served, behind)).ids == [1, 2, 3, 4]


def test_a_count_that_is_capped_does_not_end_a_list() -> None:
    counted = pages(end="total_pages", total_pages_path="pages", limit_param="size", limit=2)
    served = [body(1, 2, pages=2), body(3, 4, pages=2), body(5, pages=2), 599]
    assert read(counted, numbered(*served)).ids == [1, 2, 3, 4, 5]


def test_a_list_that_never_named_a_page_where_it_should_is_doubted() -> None:
    walked = read(CURSOR, lambda _: body(1, 2, meta={"next_cursor": "n"})).walked
    assert walked.doubts == ["the last answer names a next page"]


def test_a_page_that_names_itself_is_the_last_one() -> None:
    says_so = {_URL: "?b", _URL + "?q=all": "?b", _URL + "?b": "?c", _URL + "?c": "?c"}

    def serve(request: Request) -> Body:
        at = request.url[-1]
        return body(ord(at), links={"next": says_so[request.url]}, has_more=at != "c")

    assert [request.url[-1] for request in read(LINK, serve).asked] == ["s", "b", "c"]
    silent = read(LINK, lambda request: body(ord(request.url[-1]), links={"next": says_so[request.url]}))
    assert [request.url[-1] for request in silent.asked] == ["s", "b", "c", "c"]


@pytest.mark.parametrize(
    ("paginator", "beside", "doubt"),
    [
        (pages(type="single_page"), {"has_more": True}, "the last answer says that more follow"),
        (pages(type="single_page"), {"paging": {"next": "/x"}}, "the last answer names a next page"),
        (pages(type="single_page"), {"meta": {"total": "7"}}, "the last answer reports 7 records, and 2 were read"),
        (SHORT, {"meta": {"total_pages": 4}}, "the last answer reports 4 pages, and 1 were read"),
        (SHORT, {"meta": {"total": 1, "has_more": False, "next": None}}, ""),
    ],
)
def test_an_end_that_the_answer_contradicts_is_doubted(paginator: Paginator, beside: Body, doubt: str) -> None:
    served = [body(1, 2, **beside), body()] if paginator.type == "single_page" else [body(1, **beside), body()]
    walked = read(paginator, lambda request: served[int(request.params.get("page", 1)) - 1]).walked
    assert walked.doubts == ([doubt] if doubt else [])


@pytest.mark.parametrize(
    ("error", "noted"), [("partial", True), ([{"message": "partial"}], True), ({"code": 0}, False)]
)
def test_an_error_beside_records_is_noted(error: object, noted: bool) -> None:
    walked = read(SHORT, numbered(body(1, 2, errors=error), body(3), body())).walked
    assert walked.assumed == ("page 1 reports an error beside its records, so some may be missing" if noted else "")
