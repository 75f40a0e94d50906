"""Paging: which rows a request asks for, and what the envelope says about the rest."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any
from urllib.parse import urlencode

from crm_assets.declarations.json_path import dig, parse_path
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
from crm_assets.sandbox.errors import RefusedError
from crm_assets.sandbox.selection import Selection

DEFAULT_SIZE = 25
"""Rows of a page when the API has no page size parameter, or none is sent."""
LINK_PARAM = "after"
"""Query parameter of the links the sandbox makes."""


@dataclass(frozen=True)
class ListRequest:
    """What a request says about the page it wants."""

    query: Mapping[str, Any]
    body: Any
    url: str
    """Address without the query."""

    def value(self, name: str, location: str = "query") -> Any:
        """Return a parameter from the query, or from its path in the JSON body."""
        return dig(self.body, parse_path(name)) if location == "json" else self.query.get(name)

    def count(self, name: str, location: str, least: int) -> int:
        """Return a parameter that must be a whole number of at least ``least``.

        Raises:
            RefusedError: It is missing or no such number (400).
        """
        given = self.value(name, location)
        text = str(given)
        if isinstance(given, bool) or not text.isdecimal() or int(text) < least:
            shown = "it is missing" if given is None else f"got {text[:40]!r}"
            raise RefusedError(400, f"{name} must be a whole number of at least {least}; {shown}.")
        return int(text)


def requested_page(paginator: Paginator, asked: ListRequest, selection: Selection, key: str | None) -> tuple[int, int]:
    """Return at which row the page a request asks for begins, and how many rows a page has.

    Args:
        paginator: How the list is walked.
        asked: The request's parameters.
        selection: The whole list.
        key: Column whose value a cursor is made of.

    Raises:
        RefusedError: A page number, offset, cursor or size is missing or wrong (400).
    """
    if isinstance(paginator, (Auto, SinglePage, HeaderLink, HeaderCursor)):
        return 0, len(selection)
    size = _size(paginator, asked)
    return _start(paginator, asked, selection, size, key), size


def envelope(
    paginator: Paginator,
    asked: ListRequest,
    selection: Sequence[dict[str, Any]],
    key: str | None,
    start: int,
    size: int,
) -> dict[tuple[str, ...], Any]:
    """Return what the body says beside the list, by path.

    Args:
        paginator: How the list is walked.
        asked: The request's parameters, for links to repeat.
        selection: The whole list.
        key: Column whose value a cursor is made of.
        start: Row the page begins at.
        size: Rows of a page.
    """
    total = len(selection)
    if isinstance(paginator, JsonLink):
        return {paginator.next_url_path: _link(asked, start + size)} if start + size < total else {}
    if isinstance(paginator, CursorPage):
        return {paginator.cursor_path: _cursor(paginator, selection, start, size, key)}
    return {**_counts(paginator, start, size, total), **_next(paginator, asked, start, size, total)}


def _size(paginator: PageNumber | Offset | JsonLink | CursorPage, asked: ListRequest) -> int:
    if not paginator.limit_param or asked.value(paginator.limit_param, paginator.location) is None:
        return DEFAULT_SIZE
    return asked.count(paginator.limit_param, paginator.location, 1)


def _start(
    paginator: PageNumber | Offset | JsonLink | CursorPage,
    asked: ListRequest,
    selection: Selection,
    size: int,
    key: str | None,
) -> int:
    if isinstance(paginator, PageNumber):
        first = paginator.start_from_page
        return (asked.count(paginator.page_param, paginator.location, first) - first) * size
    if isinstance(paginator, Offset):
        first = paginator.start_offset
        return asked.count(paginator.offset_param, paginator.location, first) - first
    if isinstance(paginator, JsonLink):
        return asked.count(LINK_PARAM, "query", 0) if asked.value(LINK_PARAM) is not None else 0
    given = asked.value(paginator.cursor_param, paginator.location)
    return 0 if given is None else _at_cursor(paginator, selection, str(given), key)


def _at_cursor(paginator: CursorPage, selection: Selection, given: str, key: str | None) -> int:
    if paginator.overlap and key:
        found = selection.position(key, given)
        if found is not None:
            return found
    elif not paginator.overlap:
        try:
            return int(base64.urlsafe_b64decode(given.encode()).decode().removeprefix("after:"))
        except (binascii.Error, ValueError):
            pass
    raise RefusedError(400, f"{paginator.cursor_param} is no cursor of this list.")


def _cursor(paginator: CursorPage, selection: Sequence[dict[str, Any]], start: int, size: int, key: str | None) -> Any:
    last = min(start + size, len(selection))
    if paginator.overlap and key:
        return selection[last - 1][key] if last > start else None
    return base64.urlsafe_b64encode(f"after:{last}".encode()).decode() if last < len(selection) else None


def _counts(paginator: Paginator, start: int, size: int, total: int) -> dict[tuple[str, ...], Any]:
    if not isinstance(paginator, (PageNumber, Offset)):
        return {}
    found = {
        paginator.total_pages_path: max(ceil(total / size), 1),
        paginator.total_records_path: total,
        paginator.has_more_path: start + size < total,
    }
    return {path: value for path, value in found.items() if path}


def _next(paginator: Paginator, asked: ListRequest, start: int, size: int, total: int) -> dict[tuple[str, ...], Any]:
    """Return the link to the next page, where the declaration lets its absence end the list."""
    if not isinstance(paginator, (PageNumber, Offset)) or not paginator.next_link_path or start + size >= total:
        return {}
    name, step = (paginator.page_param, 1) if isinstance(paginator, PageNumber) else (paginator.offset_param, size)
    following = {**asked.query, name: asked.count(name, paginator.location, 0) + step}
    return {paginator.next_link_path: f"{asked.url}?{urlencode(following, doseq=True)}"}


def _link(asked: ListRequest, after: int) -> str:
    return f"{asked.url}?{urlencode({**asked.query, LINK_PARAM: after}, doseq=True)}"
