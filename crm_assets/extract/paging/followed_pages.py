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
from crm_assets.extract.paging.page import FetchPage, Page, PagingState, limited

FollowedPaginator = JsonLink | HeaderLink | CursorPage | HeaderCursor


async def follow(
    paginator: FollowedPaginator, request: Request, fetch: FetchPage, walked: PagingState, first: Page | None = None
) -> AsyncGenerator[Page, None]:
    """Yield the pages of a list whose answers name the next page.

    Args:
        paginator: Where the next page is named, and what ends the list beside an answer that names none.
        request: The request of the first page, without paging parameters.
        fetch: Sends a request.
        walked: Filled while walking.
        first: The first page, where it was read before.

    Raises:
        ReadError: The end was not reached as declared.
    """
    request = limited(paginator.location, paginator.limit_param, paginator.limit, request)
    seen, current = {request.full_url({})}, ""
    while True:
        name = f"page {walked.pages + 1}"
        page, first = first or await fetch(request, name), None
        following = _following(paginator, page, name)
        if _brings_nothing_new(paginator, page, following == current != ""):
            walked.ended_by = f"{name} brings no new record"
            return
        repeated = following in seen
        if not (repeated and paginator.end == "repeat" and page.records.fingerprint == walked.last):
            walked.note(page, name)
            walked.repeats += getattr(paginator, "overlap", False) and current != ""
            yield page
        if ended := _end(paginator, page, name, following, repeated):
            walked.ended_by = ended
            return
        if repeated:
            raise ReadError(_circle(paginator, name, following == current))
        seen.add(following)
        current = following
        request = _next_request(paginator, request, page)


def _following(paginator: FollowedPaginator, page: Page, name: str) -> str:
    """Return what names the next page, as text to compare, or an empty text."""
    found = _named(paginator, page)
    if found in (None, "", False):
        return ""
    if isinstance(paginator, (JsonLink, HeaderLink)):
        if not isinstance(found, str):
            raise ReadError(f"{name} links to something that is no link")
        return found
    return repr(found)


def _named(paginator: FollowedPaginator, page: Page) -> object:
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


def _next_request(paginator: FollowedPaginator, request: Request, page: Page) -> Request:
    found = _named(paginator, page)
    if isinstance(paginator, (JsonLink, HeaderLink)):
        return replace(request, url=resolve_url(request.url, str(found)), params={})
    return request.given(paginator.location, paginator.cursor_param, found)


def _brings_nothing_new(paginator: FollowedPaginator, page: Page, stale: bool) -> bool:
    if not isinstance(paginator, CursorPage) or not paginator.overlap:
        return False
    return page.records.count == 0 or (stale and page.records.count <= 1)


def _end(paginator: FollowedPaginator, page: Page, name: str, following: str, repeated: bool) -> str:
    """Return how the list ended with this page, or an empty text."""
    count, what = page.records.count, "further page" if isinstance(paginator, (JsonLink, HeaderLink)) else "cursor"
    if paginator.end == "has_more":
        return _told_end(paginator, page, name, following)
    if not following:
        return f"{name} links to no further page" if what != "cursor" else f"{name} names no further cursor"
    match paginator.end:
        case "no_next":
            return ""
        case "empty_page":
            return "" if count else f"{name} is empty"
        case "short_page":
            return f"{name} is short" if count < (paginator.limit or 0) else ""
        case "repeat":
            return f"{name} names a {what} that was read before" if repeated else ""
        case _:
            assert_never(paginator.end)


def _told_end(paginator: FollowedPaginator, page: Page, name: str, following: str) -> str:
    path = paginator.has_more_path or ()
    more = page.envelope.fact(path)
    if more is None:
        raise ReadError(f"{name} does not tell {path_text(path)!r}, which ends the list")
    if more in (False, 0, "", "false", "False"):
        return f"{name} says that no more follow"
    if not following:
        raise ReadError(f"{name} says that more follow, but does not name the next page")
    return ""


def _circle(paginator: FollowedPaginator, name: str, own: bool) -> str:
    if isinstance(paginator, (JsonLink, HeaderLink)):
        return f"{name} links to a page already read"
    if own:
        return f"{name} names its own cursor again: the server ignores {paginator.cursor_param}"
    return f"{name} names a cursor that was already followed: the list goes round in a circle"
