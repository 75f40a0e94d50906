"""Numbered pages that end where the body links no further, and lists that an API need not page."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from crm_assets.declarations.models.endpoint import Endpoint
from crm_assets.declarations.models.paginator import PageNumber
from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.client import Answer
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.page import Page, PagingState
from crm_assets.extract.paging.paginate import walk
from crm_assets.extract.paging.response_body import open_body

LINKED = PageNumber(
    type="page_number", limit_param="size", limit=2, end="no_next_link", next_link_path=("links", "next")
)
UNPAGED = PageNumber(type="page_number", end="empty_page", on_repeat="end", total_pages_path=("meta", "pages"))
ANYWHERE = "https://elsewhere.test/3"


def body(*ids: int, **beside: Any) -> dict[str, Any]:
    return {"data": [{"id": number} for number in ids], **beside}


def read(paginator: PageNumber, *bodies: dict[str, Any] | int) -> tuple[list[int], PagingState, list[int]]:
    """Walk over the bodies, or statuses, of the pages from 1 on; return the ids, what was seen, and the pages asked."""
    endpoint = Endpoint(path="/", data_selector="data", paginator=paginator)
    asked: list[int] = []
    walked = PagingState()

    async def fetch(request: Request, name: str) -> Page:
        asked.append(request.params["page"])
        found = bodies[request.params["page"] - 1]
        if isinstance(found, int):
            raise ReadError(f"{name}: refused", status=found)
        envelope = open_body(Answer(json.dumps(found).encode(), "application/json"), endpoint)
        ids = tuple(record["id"] for record in json.loads(envelope.records))
        return Page(envelope, Records(envelope.records, None, (), True, len(ids), ids))

    async def ids() -> list[int]:
        pages = walk(paginator, Request("GET", "https://api.test/"), fetch, walked, ahead=1)
        return [record["id"] async for page in pages for record in json.loads(page.records.array)]

    return asyncio.run(ids()), walked, asked


def test_the_page_without_a_link_is_the_last() -> None:
    ids, walked, asked = read(LINKED, body(1, 2, links={"next": ANYWHERE}), body(3, links={"self": "x"}))
    assert (ids, asked) == ([1, 2, 3], [1, 2])
    assert walked.ended_by == "page 2 links to no further page"


def test_a_short_page_that_links_further_is_not_the_last() -> None:
    ids, _, asked = read(LINKED, body(1, links={"next": ANYWHERE}), body(2, links={"next": None}))
    assert (ids, asked) == ([1, 2], [1, 2])


def test_an_empty_first_page_without_a_link_is_an_empty_list() -> None:
    assert read(LINKED, body())[::2] == ([], [1])


@pytest.mark.parametrize("beyond", [body(), 404])
def test_a_full_page_without_a_link_is_the_last_if_nothing_follows(beyond: dict[str, Any] | int) -> None:
    assert read(LINKED, body(1, 2), beyond)[::2] == ([1, 2], [1, 2])


def test_a_full_page_that_lost_its_link_is_noticed() -> None:
    with pytest.raises(ReadError, match="page 1 links to no further page, but page 2 has 2 records"):
        read(LINKED, body(1, 2), body(3, 4), body())


def test_an_empty_page_that_links_further_is_an_error() -> None:
    with pytest.raises(ReadError, match="page 2 is empty, though it links to a further page"):
        read(LINKED, body(1, 2, links={"next": ANYWHERE}), body(links={"next": ANYWHERE}))


def test_an_empty_page_that_was_linked_to_is_doubted() -> None:
    with pytest.raises(ReadError, match="page 2 links to no further page, but page 3 has 1 records"):
        read(LINKED, body(1, 2, links={"next": ANYWHERE}), body(), body(5))


def test_a_list_that_is_not_paged_ends_where_it_comes_again() -> None:
    ids, walked, asked = read(UNPAGED, body(1, 2), body(1, 2))
    assert (ids, asked) == ([1, 2], [1, 2])
    assert walked.ended_by == "page 2 repeats the first: the whole list is in one page"


def test_a_list_that_is_paged_after_all_is_read_to_its_end() -> None:
    assert read(UNPAGED, body(1, 2), body(3), body())[::2] == ([1, 2, 3], [1, 2, 3])


@pytest.mark.parametrize(
    "bodies",
    [
        pytest.param((body(1, 2), body(3, 4), body(3, 4), body(5)), id="later pages"),
        pytest.param((body(1, 2, meta={"pages": 2}), body(1, 2, meta={"pages": 2})), id="pages are counted"),
    ],
)
def test_a_repeated_page_is_an_error_where_the_list_is_paged(bodies: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(ReadError, match="repeats the page before"):
        read(UNPAGED, *bodies)
