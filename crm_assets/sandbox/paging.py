"""Paging: which records a request asks for, and what an answer says about the rest."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Protocol
from urllib.parse import urlencode

from typing_extensions import assert_never

from crm_assets.declarations.json_path import dig, parse_path
from crm_assets.declarations.models.endpoint import Endpoint
from crm_assets.declarations.models.paginator import (
    Auto,
    CursorPage,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    SinglePage,
)
from crm_assets.sandbox.errors import RefusedError
from crm_assets.sandbox.wire import selector_of

DEFAULT_SIZE = 25
"""Records of a page when the API has no page size parameter, or none is sent."""
LINK_PARAM = "after"
"""Query parameter of the links the sandbox makes."""
Path = tuple[str, ...]
_Paged = PageNumber | Offset | JsonLink | HeaderLink | CursorPage | HeaderCursor


class Records(Protocol):
    """The records of a whole list."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: Any) -> Any: ...
    def position(self, path: Sequence[str], value: str) -> int | None:
        """Return the position of the record that has a value at a path."""


@dataclass(frozen=True)
class ListRequest:
    """The page that a request asks for."""

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

    def link(self, name: str, value: int) -> str:
        """Return the address of the same request with another value of a parameter."""
        return f"{self.url}?{urlencode({**self.query, name: value}, doseq=True)}"


@dataclass(frozen=True)
class Envelope:
    """The parts of an answer beside its list."""

    values: dict[Path, Any] = field(default_factory=dict)
    """Values in the body, by path."""
    headers: dict[str, str] = field(default_factory=dict)


def requested_page(endpoint: Endpoint, asked: ListRequest, records: Records, key: Path | None) -> tuple[int, int]:
    """Return at which record the page a request asks for begins, and how many records a page has.

    Args:
        endpoint: Whose list it is.
        asked: The request's parameters.
        records: The whole list.
        key: Path of the records' key.

    Raises:
        RefusedError: A page number, offset, cursor or size is missing or wrong (400).
    """
    match endpoint.paginator:
        case SinglePage() | Auto():
            return 0, len(records)
        case PageNumber() as paging:
            size, first = _size(paging, asked), paging.start_from_page
            return (asked.count(paging.page_param, paging.location, first) - first) * size, size
        case Offset() as paging:
            first = paging.start_offset
            return asked.count(paging.offset_param, paging.location, first) - first, _size(paging, asked)
        case JsonLink() | HeaderLink() as paging:
            start = asked.count(LINK_PARAM, "query", 0) if asked.value(LINK_PARAM) is not None else 0
            return start, _size(paging, asked)
        case CursorPage() | HeaderCursor() as paging:
            given, size = asked.value(paging.cursor_param, paging.location), _size(paging, asked)
            return 0 if given is None else _at_cursor(endpoint, paging, records, str(given), key), size
        case other:
            assert_never(other)


def envelope(
    endpoint: Endpoint, asked: ListRequest, records: Records, key: Path | None, start: int, size: int
) -> Envelope:
    """Return the parts of an answer beside the page that begins at record ``start``; see :func:`requested_page`."""
    total, following = len(records), start + size
    match endpoint.paginator:
        case Auto():
            return Envelope()
        case SinglePage() as paging:
            return Envelope({paging.total_records_path: total} if paging.total_records_path else {})
        case PageNumber() | Offset() as paging:
            return Envelope(
                {**_counts(paging, start, size, total), **_next_link(paging, asked, following, size, total)}
            )
        case JsonLink() | HeaderLink() | CursorPage() | HeaderCursor() as paging:
            more = {paging.has_more_path: following < total} if paging.has_more_path else {}
            # Where a repeated link or cursor ends the list, the last page names itself once more.
            after = following if following < total else start if paging.end == "repeat" else None
            last = records[min(following, total) - 1] if start < total else None
            named = _named(endpoint, asked, after, last, key)
            return Envelope({**more, **named.values}, named.headers)
        case other:
            assert_never(other)


def _named(endpoint: Endpoint, asked: ListRequest, after: int | None, last: Any, key: Path | None) -> Envelope:
    """Return the reference to the next page, which begins at record ``after``, if one follows.

    Args:
        endpoint: Whose list it is.
        asked: The request's parameters.
        after: Record the next page begins at.
        last: The last record of this page, if it has any.
        key: Path of the records' key.
    """
    match endpoint.paginator:
        case JsonLink() as paging:
            return Envelope({} if after is None else {paging.next_url_path: asked.link(LINK_PARAM, after)})
        case HeaderLink() as paging:
            link = f'<{asked.link(LINK_PARAM, after or 0)}>; rel="{paging.links_next_key}"'
            return Envelope(headers={} if after is None else {"Link": link})
        case HeaderCursor() as paging:
            return Envelope(headers={} if after is None else {paging.cursor_key: _opaque(after)})
        case CursorPage() as paging if path := _cursor_in_records(endpoint, paging, key):
            # The path leads through the list itself, or the cursor is the key of the last record.
            return Envelope({paging.cursor_path: dig(last, path)} if paging.overlap else {})
        case CursorPage() as paging:
            return Envelope({paging.cursor_path: None if after is None else _opaque(after)})
    return Envelope()


def _cursor_in_records(endpoint: Endpoint, paging: CursorPage | HeaderCursor, key: Path | None) -> Path | None:
    """Return the path inside a record whose value is the cursor, or ``None`` where it is the sandbox's own."""
    if isinstance(paging, HeaderCursor):
        return None
    selector = selector_of(endpoint)
    inside = paging.cursor_path[len(selector) :]
    if paging.cursor_path[: len(selector)] == selector and inside[:1] == ("-1",):
        return inside[2:] if endpoint.unwrap else inside[1:]
    return key if paging.overlap else None


def _at_cursor(
    endpoint: Endpoint, paging: CursorPage | HeaderCursor, records: Records, given: str, key: Path | None
) -> int:
    if path := _cursor_in_records(endpoint, paging, key):
        found = records.position(path, given)
        if found is not None:
            return found + (not (isinstance(paging, CursorPage) and paging.overlap))
    else:
        try:
            return int(base64.urlsafe_b64decode(given.encode()).decode().removeprefix("after:"))
        except (binascii.Error, ValueError):
            pass
    raise RefusedError(400, f"{paging.cursor_param} is not a cursor of this list.")


def _opaque(after: int) -> str:
    return base64.urlsafe_b64encode(f"after:{after}".encode()).decode()


def _size(paging: _Paged, asked: ListRequest) -> int:
    if not paging.limit_param or asked.value(paging.limit_param, paging.location) is None:
        return DEFAULT_SIZE
    return asked.count(paging.limit_param, paging.location, 1)


def _counts(paging: PageNumber | Offset, start: int, size: int, total: int) -> dict[Path, Any]:
    found = {
        paging.total_pages_path: max(ceil(total / size), 1),
        paging.total_records_path: total,
        paging.has_more_path: start + size < total,
    }
    return {path: value for path, value in found.items() if path}


def _next_link(
    paging: PageNumber | Offset, asked: ListRequest, following: int, size: int, total: int
) -> dict[Path, Any]:
    """Return the link to the next page, where the declaration lets its absence end the list."""
    if not paging.next_link_path or following >= total:
        return {}
    name, step = (paging.page_param, 1) if isinstance(paging, PageNumber) else (paging.offset_param, size)
    return {paging.next_link_path: asked.link(name, asked.count(name, paging.location, 0) + step)}
