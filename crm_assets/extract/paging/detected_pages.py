"""Pages of a list whose paging is not declared: the first answer is looked at, and what it names is followed.

Nothing is guessed silently. The read's report says what was detected; an answer that names no further page is
taken for the whole list, and that is said, too. A guess that turns out wrong ends the read: a page that comes again, a
page that says it is another one, or more records reported than read.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.paginator import CursorPage, HeaderLink, JsonLink
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.followed_pages import FollowedPaginator, follow
from crm_assets.extract.paging.link_header import link_url
from crm_assets.extract.paging.page import FetchPage, Page, PagingState
from crm_assets.extract.paging.paging_facts import count_of_pages, count_of_records, next_page, number_of_page
from crm_assets.extract.paging.signs import as_int

_CURSOR_PARAM = "cursor"
_PAGE_PARAM = "page"


async def detected_pages(request: Request, fetch: FetchPage, walked: PagingState) -> AsyncGenerator[Page, None]:
    """Yield the pages of a list, paged as its first answer shows.

    Args:
        request: The list's request.
        fetch: Sends a request.
        walked: Filled while walking; ``found`` says what was seen, ``assumed`` what was taken for the end.

    Raises:
        ReadError: The list is not paged as it looked.
    """
    first = await fetch(request, "page 1")
    body = first.envelope.fact(())
    if followed := _names_the_next(first, body):
        walked.found = f"{_where(followed)} links to the next page"
        async for page in follow(followed, request, fetch, walked, first):
            yield page
        return
    walked.note(first, "page 1")
    yield first
    total = count_of_pages(body)
    if total is not None and total[1] > 1:
        walked.found = f"{path_text(total[0])!r} counts the pages"
        async for page in _count_pages(total, number_of_page(body), request, fetch, walked):
            yield page
        return
    _finish(body, first, walked, known=total is not None)


def _names_the_next(first: Page, body: object) -> FollowedPaginator | None:
    if link_url(first.headers.get("Link", ""), "next"):
        return HeaderLink(type="header_link")
    found = next_page(body)
    if found is None:
        return None
    path, value = found
    if isinstance(value, str) and value.startswith(("http://", "https://", "/")):
        return JsonLink(type="json_link", next_url_path=path)
    return CursorPage(type="cursor", cursor_path=path, cursor_param=_CURSOR_PARAM)


def _where(paginator: FollowedPaginator) -> str:
    match paginator:
        case JsonLink():
            return repr(path_text(paginator.next_url_path))
        case CursorPage():
            return f"{path_text(paginator.cursor_path)!r}, sent as {_CURSOR_PARAM},"
        case _:
            return "the Link header"


async def _count_pages(
    total: tuple[tuple[str, ...], int],
    number: tuple[tuple[str, ...], int] | None,
    request: Request,
    fetch: FetchPage,
    walked: PagingState,
) -> AsyncGenerator[Page, None]:
    path, count = total
    start = number[1] if number else 1
    for index in range(1, count):
        name = f"page {start + index}"
        page = await fetch(request.given("query", _PAGE_PARAM, start + index), name)
        reported_number = as_int(page.envelope.fact(number[0])) if number else None
        if reported_number not in (None, start + index):
            raise ReadError(f"{name} says that it is page {reported_number}; declare how this list is paged")
        if not page.count:
            raise ReadError(f"{name} of {count} is empty; declare how this list is paged")
        walked.note(page, name)
        yield page
    walked.ended_by = f"page {start + count - 1} of {count} pages ({path_text(path)})"


def _finish(body: object, first: Page, walked: PagingState, *, known: bool) -> None:
    records = count_of_records(body)
    if records is not None and records[1] > first.count:
        raise ReadError(
            f"the answer reports {records[1]} records at {path_text(records[0])!r} and contains {first.count}; "
            f"declare how this list is paged"
        )
    walked.ended_by = "single page"
    if not known and records is None and first.count > 1:
        walked.assumed = "end of list assumed: no paginator is declared, and the answer names no further page"
