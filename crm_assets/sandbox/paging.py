"""Paging: which records a request asks for, and what an answer says about the rest."""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from typing_extensions import assert_never

from crm_assets.declarations import Connection, Resource
from crm_assets.declarations.json_path import Segments, dig
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
from crm_assets.sandbox.calls import Call
from crm_assets.sandbox.tables import RecordList
from crm_assets.sandbox.wire import list_path

DEFAULT_SIZE = 25
"""Records of a page when the API has no page size parameter, or none is sent."""
_LINK_PARAM = "after"
"""Query parameter of the links the sandbox makes."""
_Paged = PageNumber | Offset | JsonLink | HeaderLink | CursorPage | HeaderCursor


@dataclass(frozen=True)
class PageRequest:
    """A request for one page of one list, found to be in order."""

    request: Request
    connection: Connection
    resource: Resource
    parent: Any
    """Value that binds the list to its parent, if it has one."""
    call: Call
    records: RecordList
    """The whole list."""
    key: Segments | None
    """Segments of the records' key."""
    start: int
    """Record the page begins at, from 0."""
    size: int
    """Records of a page."""


@dataclass(frozen=True)
class Envelope:
    """The parts of an answer beside its list."""

    values: dict[Segments, Any] = field(default_factory=dict)
    """Values in the body, by path."""
    headers: dict[str, str] = field(default_factory=dict)


def requested_page(endpoint: Endpoint, call: Call, records: RecordList, key: Segments | None) -> tuple[int, int]:
    """Return at which record the page a request asks for begins, and how many records a page has.

    Args:
        endpoint: Whose list it is.
        call: The request.
        records: The whole list.
        key: Segments of the records' key.

    Raises:
        HTTPException: A page number, offset, cursor or size is missing or wrong (400).
    """
    match endpoint.paginator:
        case SinglePage() | Auto():
            return 0, len(records)
        case PageNumber() as paging:
            size, first = _page_size(paging, call), paging.start_from_page
            return (call.count(paging.page_param, paging.location, first) - first) * size, size
        case Offset() as paging:
            first = paging.start_offset
            return call.count(paging.offset_param, paging.location, first) - first, _page_size(paging, call)
        case JsonLink() | HeaderLink() as paging:
            start = 0 if call.value(_LINK_PARAM) is None else call.count(_LINK_PARAM, "query", 0)
            return start, _page_size(paging, call)
        case CursorPage() | HeaderCursor() as paging:
            cursor, size = call.value(paging.cursor_param, paging.location), _page_size(paging, call)
            return 0 if cursor is None else _at_cursor(endpoint, paging, records, str(cursor), key), size
        case other:
            assert_never(other)


def envelope(page: PageRequest) -> Envelope:
    """Return the parts of an answer beside the list."""
    total, following = len(page.records), page.start + page.size
    match page.resource.endpoint.paginator:
        case Auto():
            return Envelope()
        case SinglePage() as paging:
            return Envelope({paging.total_records_path: total} if paging.total_records_path else {})
        case PageNumber() | Offset() as paging:
            counts = {
                paging.total_pages_path: max(ceil(total / page.size), 1),
                paging.total_records_path: total,
                paging.has_more_path: following < total,
                # Where the absence of a link ends the list, the last page has none.
                paging.next_link_path if following < total else None: _next_link(paging, page),
            }
            return Envelope({path: value for path, value in counts.items() if path})
        case JsonLink() | HeaderLink() | CursorPage() | HeaderCursor() as paging:
            more = {paging.has_more_path: following < total} if paging.has_more_path else {}
            # Where a repeated link or cursor ends the list, the last page names itself once more.
            after = following if following < total else page.start if paging.end == "repeat" else None
            reference = _reference(paging, page, after)
            return Envelope({**more, **reference.values}, reference.headers)
        case other:
            assert_never(other)


def _next_link(paging: PageNumber | Offset, page: PageRequest) -> str:
    name, step = (paging.page_param, 1) if isinstance(paging, PageNumber) else (paging.offset_param, page.size)
    return page.call.link(name, page.call.count(name, paging.location, 0) + step)


def _reference(
    paging: JsonLink | HeaderLink | CursorPage | HeaderCursor, page: PageRequest, after: int | None
) -> Envelope:
    """Return the reference to the next page, which begins at record ``after``, if one follows."""
    match paging:
        case CursorPage() if path := _cursor_in_records(page.resource.endpoint, paging, page.key):
            # The path leads through the list itself, or the cursor is the key of the last record.
            last = page.records.page(page.start, page.start + page.size)[-1:]
            return Envelope({paging.cursor_path: dig(last[0], path) if last else None} if paging.overlap else {})
        case CursorPage():
            return Envelope({paging.cursor_path: None if after is None else _opaque(after)})
        case _ if after is None:
            return Envelope()
        case JsonLink():
            return Envelope({paging.next_url_path: page.call.link(_LINK_PARAM, after)})
        case HeaderLink():
            link = f'<{page.call.link(_LINK_PARAM, after)}>; rel="{paging.links_next_key}"'
            return Envelope(headers={"Link": link})
        case HeaderCursor():
            return Envelope(headers={paging.cursor_key: _opaque(after)})
        case other:
            assert_never(other)


def _cursor_in_records(endpoint: Endpoint, paging: CursorPage | HeaderCursor, key: Segments | None) -> Segments | None:
    """Return the path inside a record whose value is the cursor, or ``None`` where it is the sandbox's own."""
    if isinstance(paging, HeaderCursor):
        return None
    selector = list_path(endpoint)
    inside = paging.cursor_path[len(selector) :]
    if paging.cursor_path[: len(selector)] == selector and inside[:1] == ("-1",):
        return inside[2:] if endpoint.unwrap else inside[1:]
    return key if paging.overlap else None


def _at_cursor(
    endpoint: Endpoint, paging: CursorPage | HeaderCursor, records: RecordList, cursor: str, key: Segments | None
) -> int:
    if path := _cursor_in_records(endpoint, paging, key):
        position = records.position(path, cursor)
        if position is not None:
            return position + (not (isinstance(paging, CursorPage) and paging.overlap))
    else:
        with suppress(binascii.Error, ValueError):
            return int(base64.urlsafe_b64decode(cursor.encode()).decode().removeprefix("after:"))
    raise HTTPException(400, f"{paging.cursor_param} is not a cursor of this list.")


def _opaque(after: int) -> str:
    return base64.urlsafe_b64encode(f"after:{after}".encode()).decode()


def _page_size(paging: _Paged, call: Call) -> int:
    if not paging.limit_param or call.value(paging.limit_param, paging.location) is None:
        return DEFAULT_SIZE
    return call.count(paging.limit_param, paging.location, 1)
