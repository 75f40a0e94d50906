"""Walk a list page by page to an end that was seen.

A walk yields pages in order. It ends only by the declared rule; whatever else stops it is a :class:`ReadError`.
Where pages are addressable by number they are fetched ahead: one at first, one more after each full page, never
past a last page the server told. What was fetched past the end is looked at too: rows there mean that the empty page
was no end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from crm_assets.declarations.models.paginator import CursorPage, JsonLink, Offset, PageNumber, Paginator, SinglePage
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.credentials import resolve_url
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.numbered_pages import Numbered
from crm_assets.extract.paging.page import FetchPage, Page, PagingState, limited


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
    if isinstance(paginator, SinglePage):
        page = await fetch(request, "the only page")
        walked.note(page, "the only page")
        walked.note_total(page, paginator.total_records_path)
        walked.ended_by = "single page"
        yield page
        return
    if isinstance(paginator, (PageNumber, Offset)):
        pages = Numbered(paginator, request, fetch, walked, ahead).pages()
    elif isinstance(paginator, JsonLink):
        pages = _linked(paginator, request, fetch, walked)
    else:
        pages = _by_cursor(paginator, request, fetch, walked)
    async for page in pages:
        yield page


async def _linked(paginator: JsonLink, request: Request, fetch: FetchPage, walked: PagingState) -> AsyncIterator[Page]:
    request = limited("query", paginator.limit_param, paginator.limit, request)
    seen: set[str] = set()
    while True:
        name = f"page {walked.pages + 1}"
        page = await fetch(request, name)
        walked.note(page, name)
        yield page
        link = page.envelope.fact(paginator.next_url_path)
        if not link:
            walked.ended_by = f"{name} links to no further page"
            return
        if not isinstance(link, str):
            raise ReadError(f"{name} links to something that is no link")
        if link in seen:
            raise ReadError(f"{name} links to a page already read")
        seen.add(link)
        request = Request(request.method, resolve_url(request.url, link), {}, request.json)


async def _by_cursor(
    paginator: CursorPage, request: Request, fetch: FetchPage, walked: PagingState
) -> AsyncIterator[Page]:
    request = limited(paginator.location, paginator.limit_param, paginator.limit, request)
    cursor: object = None
    seen: set[str] = set()
    while True:
        name = f"page {walked.pages + 1}"
        page = await fetch(request, name)
        following = page.envelope.fact(paginator.cursor_path)
        stale = cursor is not None and following == cursor
        if paginator.overlap and (page.records.count == 0 or (stale and page.records.count <= 1)):
            walked.ended_by = f"{name} brings no new record"
            return
        walked.note(page, name)
        walked.repeats += paginator.overlap and cursor is not None
        yield page
        if following in (None, "", False):
            walked.ended_by = f"{name} names no further cursor"
            return
        if stale:
            raise ReadError(f"{name} names its own cursor again: the server ignores {paginator.cursor_param}")
        if repr(following) in seen:
            raise ReadError(f"{name} names a cursor that was already resolve_url: the list goes round in a circle")
        seen.add(repr(following))
        cursor = following
        request = request.given(paginator.location, paginator.cursor_param, cursor)
