"""Pages that name the next one, by a link or a cursor, in the body or in a header."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from requests.utils import parse_header_links
from typing_extensions import assert_never

from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.paginator import CursorPage, HeaderCursor, HeaderLink, JsonLink
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.credentials import resolve_url
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.page import FetchPage, Page, PagingState, with_page_size
from crm_assets.extract.paging.signs import is_true, names_more, says_no_more

FollowedPaginator = JsonLink | HeaderLink | CursorPage | HeaderCursor
_EMPTY_IN_A_ROW = 100
"""Pages without records, each naming another, after which a list is given up: it may never end."""


async def follow(
    paginator: FollowedPaginator, request: Request, fetch: FetchPage, state: PagingState, first: Page | None = None
) -> AsyncGenerator[Page, None]:
    """Yield the pages of a list whose answers name the next page.

    A page that names itself is the last one if it is empty or says so, or if it comes again when it is asked for again.

    Args:
        paginator: Where the next page is named, and what ends the list beside an answer that names none.
        request: The request of the first page, without paging parameters.
        fetch: Sends a request.
        state: Filled while walking.
        first: The first page, where it was read before.

    Raises:
        ReadError: The end was not reached as declared.
    """
    state.follows = True
    state.overlaps = isinstance(paginator, CursorPage) and paginator.overlap
    request = with_page_size(paginator.location, paginator.limit_param, paginator.limit, request)
    seen, again, empty = {hash(_identity(request))}, False, 0
    while True:
        name = f"page {state.pages + 1}"
        page, first = first or await fetch(request, name), None
        following = _following(paginator, request, page, name)
        own = following is not None and _identity(following) == _identity(request)
        if _brings_nothing_new(paginator, page, own=own):
            state.end(f"{name} brings no new record")
            return
        repeated = following is not None and hash(_identity(following)) in seen
        if state.repeats_the_last(page) and (again or (repeated and paginator.end == "repeat")):
            state.end(f"page {state.pages} names itself as the next one")
            return
        if again:
            raise _ignored(paginator, state)
        state.repeats += state.pages > 0 and isinstance(paginator, CursorPage) and paginator.overlap
        state.note(page, name)
        yield page
        if ended := _how_it_ended(paginator, page, name, following, own=own, repeated=repeated):
            state.end(ended)
            return
        again, empty = own and state.pages > 1, 0 if page.count else empty + 1
        _refuse_endless(name, circle=repeated and not again, empty=empty)
        request = following or request
        seen.add(hash(_identity(request)))


def _refuse_endless(name: str, *, circle: bool, empty: int) -> None:
    if circle:
        raise ReadError(f"{name} names a page that was already read: the pages form a loop")
    if empty > _EMPTY_IN_A_ROW:
        raise ReadError(f"the {_EMPTY_IN_A_ROW} pages up to {name} have no records, and each names another")


def _identity(request: Request) -> str:
    return f"{request.full_url({})} {request.json}"


def _following(paginator: FollowedPaginator, request: Request, page: Page, name: str) -> Request | None:
    """Return the request of the next page, or ``None`` where none is named."""
    named = _next_named(paginator, page)
    if not names_more(named):
        return None
    if isinstance(paginator, (CursorPage, HeaderCursor)):
        return request.given(paginator.location, paginator.cursor_param, named)
    if not isinstance(named, str):
        raise ReadError(f"{name} links to something that is not a link")
    return replace(request, url=resolve_url(request.full_url({}), named), params={})


def _next_named(paginator: FollowedPaginator, page: Page) -> object:
    match paginator:
        case JsonLink():
            return page.envelope.fact(paginator.next_url_path)
        case CursorPage():
            return page.envelope.fact(paginator.cursor_path)
        case HeaderCursor():
            return page.headers.get(paginator.cursor_key)
        case HeaderLink():
            return header_link(page, paginator.links_next_key)
        case _:
            assert_never(paginator)


def header_link(page: Page, relation: str) -> str | None:
    """Return the address the ``Link`` header of a page gives for a relation, or ``None``."""
    links = parse_header_links(page.headers.get("Link", ""))
    return next((link["url"] for link in links if relation in link.get("rel", "").split()), None)


def _brings_nothing_new(paginator: FollowedPaginator, page: Page, *, own: bool) -> bool:
    overlap = isinstance(paginator, CursorPage) and paginator.overlap
    return overlap and (page.count == 0 or (own and page.count <= 1))


def _how_it_ended(
    paginator: FollowedPaginator, page: Page, name: str, following: Request | None, *, own: bool, repeated: bool
) -> str:
    """Return how the list ended with this page, or an empty text."""
    if paginator.end == "has_more":
        return _told_end(paginator, page, name, following)
    if following is None:
        return f"{name} {_no_further(paginator)}"
    if own and (not page.count or says_no_more(page.envelope.beside)):
        return f"{name} names itself as the next one"
    match paginator.end:
        case "no_next":
            return ""
        case "empty_page":
            return "" if page.count else f"{name} is empty"
        case "short_page":
            return f"{name} is short" if page.count < (paginator.limit or 0) else ""
        case "repeat":
            return f"{name} names a page that was read before" if repeated else ""
        case _:
            assert_never(paginator.end)


def _told_end(paginator: FollowedPaginator, page: Page, name: str, following: Request | None) -> str:
    path = paginator.has_more_path or ()
    more = page.envelope.fact(path)
    if more is None:
        raise ReadError(f"{name} does not report {path_text(path)!r}, which ends the list")
    if not is_true(more):
        return f"{name} says that no more follow"
    if following is None:
        raise ReadError(f"{name} says that more follow, but does not name the next page")
    return ""


def _no_further(paginator: FollowedPaginator) -> str:
    return "links to no further page" if isinstance(paginator, (JsonLink, HeaderLink)) else "names no further cursor"


def _ignored(paginator: FollowedPaginator, state: PagingState) -> ReadError:
    what = "its own link" if isinstance(paginator, (JsonLink, HeaderLink)) else paginator.cursor_param
    return ReadError(
        f"page {state.pages} names itself as the next one, but another page came: the server ignores {what}"
    )
