"""Paging: which records a request asks for, and what an answer says about the rest."""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from typing import Any

from starlette.exceptions import HTTPException
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
from crm_assets.sandbox.bodies import list_path
from crm_assets.sandbox.calls import Call
from crm_assets.sandbox.tables import RecordList

DEFAULT_SIZE = 25
"""Records of a page when the API has no page size parameter, or none is sent."""
_LINK_PARAM = "after"
"""Query parameter of the links the sandbox makes."""


@dataclass(frozen=True)
class PageRequest:
    """A request for one page of one list, found to be in order."""

    call: Call
    connection: Connection
    resource: Resource
    parent: Any
    """Value that binds the list to its parent, if it has one."""
    records: RecordList
    """The whole list."""
    key: Segments | None
    """Segments of the records' key."""
    start: int
    """Record the page begins at, from 0."""
    size: int
    """Records of a page."""


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
    paging = endpoint.paginator
    if isinstance(paging, (SinglePage, Auto)):
        return 0, len(records)
    given = paging.limit_param and call.value(paging.limit_param, paging.location) is not None
    size = call.count(paging.limit_param, paging.location, 1) if paging.limit_param and given else DEFAULT_SIZE
    match paging:
        case PageNumber() | Offset():
            position = call.count(paging.counter, paging.location, paging.first) - paging.first
            return position * size if isinstance(paging, PageNumber) else position, size
        case JsonLink() | HeaderLink():
            return 0 if call.value(_LINK_PARAM) is None else call.count(_LINK_PARAM, "query", 0), size
        case CursorPage() | HeaderCursor():
            cursor = call.value(paging.cursor_param, paging.location)
            return 0 if cursor is None else _at_cursor(endpoint, paging, records, str(cursor), key), size
        case other:
            assert_never(other)


def envelope(page: PageRequest) -> tuple[dict[Segments, Any], dict[str, str]]:
    """Return the parts of an answer beside the list: values in its body, by path, and headers."""
    total, following = len(page.records), page.start + page.size
    values: dict[Segments | None, Any] = {}
    headers: dict[str, str] = {}
    match page.resource.endpoint.paginator:
        case Auto():
            pass
        case SinglePage() as paging:
            values = {paging.total_records_path: total}
        case PageNumber() | Offset() as paging:
            values = {
                paging.total_pages_path: max(ceil(total / page.size), 1),
                paging.total_records_path: total,
                paging.has_more_path: following < total,
                # Where the absence of a link ends the list, the last page has none.
                paging.next_link_path if following < total else None: _next_link(paging, page),
            }
        case JsonLink() | HeaderLink() | CursorPage() | HeaderCursor() as paging:
            # Where a repeated link or cursor ends the list, the last page names itself once more.
            after = following if following < total else page.start if paging.end == "repeat" else None
            values, headers = _reference(paging, page, after)
            values = {paging.has_more_path: following < total, **values}
        case other:
            assert_never(other)
    return {path: value for path, value in values.items() if path}, headers


def _next_link(paging: PageNumber | Offset, page: PageRequest) -> str:
    step = 1 if isinstance(paging, PageNumber) else page.size
    return _link(page, paging.counter, page.call.count(paging.counter, paging.location, 0) + step)


def _link(page: PageRequest, name: str, value: int) -> str:
    """Return the address of a request with another value of a parameter."""
    return str(page.call.request.url.include_query_params(**{name: value}))


def _reference(
    paging: JsonLink | HeaderLink | CursorPage | HeaderCursor, page: PageRequest, after: int | None
) -> tuple[dict[Segments | None, Any], dict[str, str]]:
    """Return the reference to the next page, which begins at record ``after``, in the body or in a header."""
    match paging:
        case CursorPage() if path := _cursor_in_records(page.resource.endpoint, paging, page.key):
            # The path leads through the list itself, or the cursor is the key of the last record.
            last = page.records.page(page.start, page.start + page.size)[-1:]
            return {paging.cursor_path: dig(last[0], path) if last else None} if paging.overlap else {}, {}
        case CursorPage():
            return {paging.cursor_path: None if after is None else _opaque(after)}, {}
        case _ if after is None:
            return {}, {}
        case JsonLink():
            return {paging.next_url_path: _link(page, _LINK_PARAM, after)}, {}
        case HeaderLink():
            return {}, {"Link": f'<{_link(page, _LINK_PARAM, after)}>; rel="{paging.links_next_key}"'}
        case HeaderCursor():
            return {}, {paging.cursor_key: _opaque(after)}
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
