"""Paging: which records a request asks for, and what an answer says about the rest."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from starlette.exceptions import HTTPException
from typing_extensions import assert_never

from crm_assets.declarations import Resource
from crm_assets.declarations.json_path import Segments, dig
from crm_assets.declarations.models import paginator
from crm_assets.sandbox.bodies import list_path
from crm_assets.sandbox.calls import Call
from crm_assets.sandbox.tables import RecordList

DEFAULT_SIZE = 25
"""Records of a page when the API has no page size parameter, or none is sent."""
_MARK = "+/="
"""End of the sandbox's own cursors: what base64 contains, and a client must encode in a query."""
_LINK_PARAM = "after"
"""Query parameter of the links the sandbox makes."""


@dataclass(frozen=True)
class PageRequest:
    """A request for one page of one list, found to be in order."""

    call: Call
    resource: Resource
    records: RecordList
    """The whole list."""
    start: int
    """Record the page begins at, from 0."""
    size: int
    """Records of a page."""


def requested_page(resource: Resource, call: Call, records: RecordList) -> tuple[int, int]:
    """Return at which of the records of a list the requested page begins, and how many records a page has.

    Raises:
        HTTPException: A page number, offset, cursor or size is missing or wrong (400).
    """
    paging = resource.endpoint.paginator
    if isinstance(paging, (paginator.SinglePage, paginator.Auto)):
        return 0, len(records)
    given = paging.limit_param and call.value(paging.limit_param, paging.location) is not None
    size = call.count(paging.limit_param, paging.location, 1) if paging.limit_param and given else DEFAULT_SIZE
    match paging:
        case paginator.PageNumber() | paginator.Offset():
            count = call.count(paging.counter, paging.location, paging.first) - paging.first
            return count * (size if paging.type == "page_number" else 1), size
        case paginator.JsonLink() | paginator.HeaderLink():
            cursor = call.value(_LINK_PARAM)
        case paginator.CursorPage() | paginator.HeaderCursor():
            cursor = call.value(paging.cursor_param, paging.location)
        case other:
            assert_never(other)
    if cursor is None:
        return 0, size
    text, path = str(cursor), _path_in_records(resource)
    if path and (position := records.position(path, text)) is not None:
        return position + (not getattr(paging, "overlap", False)), size
    if not path and text.endswith(_MARK) and text[: -len(_MARK)].isdecimal():
        return int(text[: -len(_MARK)]), size
    raise HTTPException(400, f"{text[:40]!r} is not a cursor of this list.")


def envelope(page: PageRequest) -> tuple[dict[Segments, Any], dict[str, str]]:
    """Return the parts of an answer beside the list: values in its body, by path, and headers."""
    paging, total, following = page.resource.endpoint.paginator, len(page.records), page.start + page.size
    if isinstance(paging, (paginator.SinglePage, paginator.Auto)):
        path = paging.total_records_path if isinstance(paging, paginator.SinglePage) else None
        return {path: total} if path else {}, {}
    # Where a repeated link or cursor ends the list, the last page names itself once more.
    after = following if following < total else page.start if paging.end == "repeat" else None
    cursor = None if after is None else f"{after}{_MARK}"
    values: dict[Segments | None, Any] = {paging.has_more_path: following < total}
    headers: dict[str, str] = {}
    match paging:
        case paginator.PageNumber() | paginator.Offset():
            values |= {paging.total_pages_path: max(ceil(total / page.size), 1), paging.total_records_path: total}
            if after is not None:
                count = paging.first + after // (page.size if paging.type == "page_number" else 1)
                values[paging.next_link_path] = page.call.link(paging.counter, count)
        case paginator.CursorPage() if path := _path_in_records(page.resource):
            # The path leads through the list itself, or the cursor is the key of the last record.
            if paging.overlap:
                values[paging.cursor_path] = dig(page.records.page(page.start, following), ("-1", *path))
        case paginator.CursorPage():
            values[paging.cursor_path] = cursor
        case _ if cursor is None:
            pass
        case paginator.JsonLink():
            values[paging.next_url_path] = page.call.link(_LINK_PARAM, cursor)
        case paginator.HeaderLink():
            headers["Link"] = f'<{page.call.link(_LINK_PARAM, cursor)}>; rel="{paging.links_next_key}"'
        case paginator.HeaderCursor():
            headers[paging.cursor_key] = cursor
        case other:
            assert_never(other)
    return {path: value for path, value in values.items() if path}, headers


def _path_in_records(resource: Resource) -> Segments | None:
    """Return the path inside a record whose value is the cursor, or ``None`` where it is the sandbox's own."""
    paging, unwrap = resource.endpoint.paginator, resource.endpoint.unwrap
    if not isinstance(paging, paginator.CursorPage):
        return None
    last = (*list_path(resource.endpoint), "-1", *([unwrap] if unwrap else []))
    if paging.cursor_path[: len(last)] == last:
        return paging.cursor_path[len(last) :]
    keys = [resource.columns[name].wire_path(name) for name in resource.primary_key if paging.overlap]
    return keys[0] if keys else None
