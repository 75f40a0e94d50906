"""Pages that name the next one, by a link or a cursor, in the body or in a header."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from typing_extensions import assert_never

from crm_assets.declarations.models.paginator import CursorPage, HeaderCursor, HeaderLink, JsonLink
from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.credentials import resolve_url
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.end_rules import REFUSED, Ended
from crm_assets.extract.paging.link_header import link_url
from crm_assets.extract.paging.page import FetchPage, Page, PagingState, with_page_size
from crm_assets.extract.paging.response_body import kept_body
from crm_assets.extract.paging.signs import is_true, names_more, says_no_more

FollowedPaginator = JsonLink | HeaderLink | CursorPage | HeaderCursor
_EMPTY_IN_A_ROW = 100
"""Pages without records, each naming another, after which a list is given up: it may never end."""
_NO_PAGE = Page(kept_body(b"{}"), Records(b"[]", None, (), fits=True, count=0, fingerprint=()))
"""Stands for a page that the server refuses."""


async def follow(
    paginator: FollowedPaginator, request: Request, fetch: FetchPage, state: PagingState, first: Page | None = None
) -> AsyncGenerator[Page, None]:
    """Yield the pages of a list whose answers name the next page.

    A page that names itself is the last one if it is empty or says so, or if it comes again when it is asked for again.
    A short or empty page that names another one ends the list only if that one has no records.

    Args:
        paginator: Where the next page is named, and what ends the list beside an answer that names none.
        request: The request of the first page, without paging parameters.
        fetch: Sends a request.
        state: Filled while walking.
        first: The first page, where it was read before.

    Raises:
        ReadError: The end was not reached as declared.
    """
    state.overlaps = isinstance(paginator, CursorPage) and paginator.overlap
    request = with_page_size(paginator.location, paginator.limit_param, paginator.limit, request)
    seen, again, empty, doubt = {hash(_identity(request))}, False, 0, None
    while True:
        name = f"page {state.pages + 1}"
        page, first = first or await _next_page(fetch, request, name, doubt), None
        following = _following(paginator, request, page, name)
        if doubt and _confirms(doubt, page, state, more=following is not None):
            return
        state.follows = state.follows or following is not None
        own = following is not None and _identity(following) == _identity(request)
        repeated = following is not None and hash(_identity(following)) in seen
        if ended := _without_new_records(paginator, page, state, own=own, again=again, repeated=repeated):
            state.end(ended)
            return
        state.repeats += state.pages > 0 and isinstance(paginator, CursorPage) and paginator.overlap
        state.note(page, name)
        yield page
        doubt = _how_it_ended(paginator, page, state, following, own=own, repeated=repeated)
        if doubt and doubt.sure:
            state.end(doubt.how)
            return
        again, empty = own and state.pages > 1, 0 if page.count else empty + 1
        _refuse_endless(name, circle=repeated and not again, empty=empty)
        request = following or request
        seen.add(hash(_identity(request)))


async def _next_page(fetch: FetchPage, request: Request, name: str, doubt: Ended | None) -> Page:
    """Return a page; an empty one where the list seems to have ended, and the server refuses what it named itself."""
    try:
        return await fetch(request, name)
    except ReadError as error:
        if doubt and error.status in REFUSED:
            return _NO_PAGE
        raise


def _confirms(doubt: Ended, page: Page, state: PagingState, *, more: bool) -> bool:
    """Return whether a page shows that the list ended before it, and note that it did.

    After a short page, one that is empty and names another is an end that the other has to confirm.
    """
    if page.count and not state.repeats_the_last(page):
        state.memory.learn(uneven=state.memory.now.uneven or doubt.kind == "short")
        return False
    if not page.count and more and doubt.kind == "short":
        return False
    state.memory.learn_end(doubt.kind)
    state.end(doubt.how)
    return True


def _without_new_records(
    paginator: FollowedPaginator, page: Page, state: PagingState, *, own: bool, again: bool, repeated: bool
) -> str:
    """Return how the list ended before a page that has nothing new, or an empty text.

    Raises:
        ReadError: A page that named itself was followed by another one.
    """
    if _brings_nothing_new(paginator, page, own=own):
        return f"page {state.pages + 1} brings no new record"
    if state.repeats_the_last(page) and (again or (repeated and paginator.end == "repeat")):
        return f"page {state.pages} names itself as the next one"
    if again:
        raise _ignored(paginator, state)
    return ""


def _refuse_endless(name: str, *, circle: bool, empty: int) -> None:
    if circle:
        raise ReadError(f"{name} names a page that was already read: the pages form a loop")
    if empty > _EMPTY_IN_A_ROW:
        raise ReadError(f"the {_EMPTY_IN_A_ROW} pages up to {name} have no records, and each names another")


def _identity(request: Request) -> str:
    return f"{request.full_url()} {request.json}"


def _following(paginator: FollowedPaginator, request: Request, page: Page, name: str) -> Request | None:
    """Return the request of the next page, or ``None`` where none is named."""
    named = _next_named(paginator, page)
    if not names_more(named):
        return None
    if isinstance(paginator, (CursorPage, HeaderCursor)):
        return request.given(paginator.location, paginator.cursor_param, named)
    if not isinstance(named, str):
        raise ReadError(f"{name} links to something that is not a link")
    return replace(request, url=resolve_url(request.full_url(), named), params={})


def _next_named(paginator: FollowedPaginator, page: Page) -> object:
    match paginator:
        case JsonLink():
            return page.envelope.fact(paginator.next_url_path)
        case CursorPage():
            return page.envelope.fact(paginator.cursor_path)
        case HeaderCursor():
            return page.headers.get(paginator.cursor_key)
        case HeaderLink():
            return link_url(page.headers.get("Link", ""), paginator.links_next_key)
        case _:
            assert_never(paginator)


def _brings_nothing_new(paginator: FollowedPaginator, page: Page, *, own: bool) -> bool:
    overlap = isinstance(paginator, CursorPage) and paginator.overlap
    return overlap and (page.count == 0 or (own and page.count <= 1))


def _how_it_ended(
    paginator: FollowedPaginator,
    page: Page,
    state: PagingState,
    following: Request | None,
    *,
    own: bool,
    repeated: bool,
) -> Ended | None:
    """Return how the list ended with this page, or ``None``."""
    name = f"page {state.pages}"
    if paginator.end == "has_more" and page.envelope.fact(paginator.has_more_path) is not None:
        return _told_end(paginator, page, name, following)
    if following is None:
        return Ended(f"{name} {_no_further(paginator)}")
    if own and (not page.count or says_no_more(page.envelope.beside)):
        return Ended(f"{name} names itself as the next one")
    match paginator.end:
        case "no_next" | "has_more":
            return None
        case "empty_page" | "short_page":
            return _short_or_empty(paginator, page, state, sure=repeated)
        case "repeat":
            return Ended(f"{name} names a page that was read before") if repeated else None
        case _:
            assert_never(paginator.end)


def _short_or_empty(paginator: FollowedPaginator, page: Page, state: PagingState, *, sure: bool) -> Ended | None:
    """Return the end that a short or empty page may be; the page it names is asked for unless that is known."""
    memory, first = state.memory, state.pages == 1
    memory.note_page(page.count)
    if not page.count:
        sure = sure or first or memory.trusts_empty(state.pages - 1)
        return Ended(f"page {state.pages} is empty", "empty", sure)
    if paginator.end == "empty_page" or page.count >= (paginator.limit or 0):
        return None
    return Ended(f"page {state.pages} is short", "short", sure or (first and memory.trusts_short(page.count)))


def _told_end(paginator: FollowedPaginator, page: Page, name: str, following: Request | None) -> Ended | None:
    if not is_true(page.envelope.fact(paginator.has_more_path)):
        return Ended(f"{name} says that no more follow")
    if following is None:
        raise ReadError(f"{name} says that more follow, but does not name the next page")
    return None


def _no_further(paginator: FollowedPaginator) -> str:
    return "links to no further page" if isinstance(paginator, (JsonLink, HeaderLink)) else "names no further cursor"


def _ignored(paginator: FollowedPaginator, state: PagingState) -> ReadError:
    what = "its own link" if isinstance(paginator, (JsonLink, HeaderLink)) else paginator.cursor_param
    return ReadError(
        f"page {state.pages} names itself as the next one, but another page came: the server ignores {what}"
    )
