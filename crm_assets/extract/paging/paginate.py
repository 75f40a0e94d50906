"""Walk a list page by page to an end that was seen.

A walk yields pages in order. It ends only by the declared rule; whatever else stops it is a :class:`ReadError`.
Where pages are addressable by number they are fetched ahead: one at first, one more after each full page, never
past a last page the server told. What was fetched past the end is looked at too: rows there mean that the empty page
was no end.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from typing_extensions import assert_never

from crm_assets.declarations.models.paginator import (
    Auto,
    CursorPage,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    Paginator,
    SinglePage,
)
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.detected_pages import detected_pages
from crm_assets.extract.paging.followed_pages import follow
from crm_assets.extract.paging.numbered_pages import Numbered
from crm_assets.extract.paging.page import FetchPage, Page, PagingState


async def walk(
    paginator: Paginator, request: Request, fetch: FetchPage, walked: PagingState, ahead: int
) -> AsyncIterator[Page]:
    """Yield the pages of a list in order.

    Args:
        paginator: How the list is paged and how it ends.
        request: The list's request, without paging parameters.
        fetch: Sends a request.
        walked: Filled while walking.
        ahead: Greatest number of requests in flight.

    Raises:
        ReadError: The end was not reached as declared.
    """
    most = None if isinstance(paginator, (SinglePage, Auto)) else paginator.max_pages
    pages = _pages(paginator, request, fetch, walked, ahead)
    async with aclosing(pages):
        async for page in pages:
            yield page
            if walked.pages == most:
                walked.assumed = f"the list was read no further than page {most}, as max_pages says"
                walked.ended_by = walked.assumed
                return


def _pages(
    paginator: Paginator, request: Request, fetch: FetchPage, walked: PagingState, ahead: int
) -> AsyncGenerator[Page, None]:
    match paginator:
        case SinglePage():
            return _only_page(paginator, request, fetch, walked)
        case PageNumber() | Offset():
            return Numbered(paginator, request, fetch, walked, ahead).pages()
        case JsonLink() | HeaderLink() | CursorPage() | HeaderCursor():
            return follow(paginator, request, fetch, walked)
        case Auto():
            return detected_pages(request, fetch, walked)
        case _:
            assert_never(paginator)


async def _only_page(
    paginator: SinglePage, request: Request, fetch: FetchPage, walked: PagingState
) -> AsyncGenerator[Page, None]:
    page = await fetch(request, "the only page")
    walked.note(page, "the only page")
    walked.note_total(page, paginator.total_records_path)
    walked.ended_by = "single page"
    yield page
