"""Walk a list page by page to an end that was seen.

A walk yields pages in order. It ends only by the declared rule; whatever else stops it is a :class:`ReadError`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
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
    paginator: Paginator, request: Request, fetch: FetchPage, state: PagingState, ahead: int
) -> AsyncGenerator[Page, None]:
    """Yield the pages of a list, in order.

    Args:
        paginator: How the list is paged and how it ends.
        request: The list's request, without paging parameters.
        fetch: Sends a request.
        state: Filled while walking.
        ahead: Greatest number of requests in flight.

    Raises:
        ReadError: The end was not reached as declared.
    """
    most = None if isinstance(paginator, (SinglePage, Auto)) else paginator.max_pages
    async with aclosing(_pages(paginator, request, fetch, state, ahead)) as pages:
        async for page in pages:
            yield page
            if state.pages == most:
                state.assumed = f"the list was read no further than page {most}, as max_pages says"
                state.ended_by = state.assumed
                return


def _pages(
    paginator: Paginator, request: Request, fetch: FetchPage, state: PagingState, ahead: int
) -> AsyncGenerator[Page, None]:
    match paginator:
        case SinglePage():
            return _only_page(paginator, request, fetch, state)
        case PageNumber() | Offset():
            return Numbered(paginator, request, fetch, state, ahead).pages()
        case JsonLink() | HeaderLink() | CursorPage() | HeaderCursor():
            return follow(paginator, request, fetch, state)
        case Auto():
            return detected_pages(request, fetch, state)
        case _:
            assert_never(paginator)


async def _only_page(
    paginator: SinglePage, request: Request, fetch: FetchPage, state: PagingState
) -> AsyncGenerator[Page, None]:
    name = "the only page"
    page = await fetch(request, name)
    state.note(page, name)
    state.note_total(page, paginator.total_records_path, name)
    yield page
    for number, file in enumerate(files := page.further, 2):
        name = f"file {number} of {len(files) + 1}"
        page = await fetch(file, name)
        state.note(page, name)
        yield page
    state.end("last file" if files else "single page")
