"""Paginators in dlt's words: what they leave unsaid there is said here, above all how a list ends."""

from __future__ import annotations

import re
from collections.abc import Callable

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError

_PLACEHOLDER_LAST = re.compile(r"\{[A-Za-z0-9._-]+\}[^/]*/?$")


def canonical_paginator(resource: Document, shared: Document | None) -> Document:
    """Return a resource with its paginator in the canonical form.

    A path that ends in a placeholder leads to one record, as in dlt; else the client's paginator holds for lists that
    name none.

    Args:
        resource: The document.
        shared: The client's paginator.

    Raises:
        SpecError: Keys contradict each other.
    """
    endpoint = resource.get("endpoint", {})
    if not isinstance(endpoint, dict):
        return resource
    endpoint = dict(endpoint)
    endpoint.setdefault("path", resource.get("name"))
    if isinstance(params := endpoint.get("params"), dict):
        endpoint["params"] = {name: value for name, value in params.items() if value is not None}
    if _leads_to_one(endpoint["path"]):
        endpoint.setdefault("data_selector", "$")
        endpoint.setdefault("paginator", {"type": "single_page"})
    paginator = endpoint.get("paginator", shared)
    if isinstance(paginator, dict):
        endpoint["paginator"] = _canonical_paginator(paginator, endpoint)
    return {**resource, "endpoint": endpoint}


def _leads_to_one(path: object) -> bool:
    return isinstance(path, str) and bool(_PLACEHOLDER_LAST.search(path.rsplit("?", 1)[0]))


def _canonical_paginator(paginator: Document, endpoint: Document) -> Document:
    kind = paginator.get("type")
    turn = _TURNS.get(kind) if isinstance(kind, str) else None
    if turn is None or "end" in paginator:
        return paginator
    rest = {key: value for key, value in paginator.items() if value is not None or key == "total_path"}
    return turn(rest, endpoint)


def _canonical_page_number(paginator: Document, _endpoint: Document) -> Document:
    base = paginator.pop("base_page", paginator.get("start_from_page", 0))
    first = paginator.pop("page", base)
    if first != base:
        paginator.pop("total_path", None)
    paginator = {**paginator, "start_from_page": first}
    _place_param(paginator, "page_param", "page_body_path", "page")
    last = paginator.pop("maximum_page", None)
    if last is not None:
        paginator["max_pages"] = max(last - first, 1)
    return _ended(paginator, "total_pages", bounded=last is not None)


def _canonical_offset(paginator: Document, endpoint: Document) -> Document:
    start = paginator.pop("offset", paginator.get("start_offset", 0))
    paginator = {**paginator, "start_offset": start}
    _place_param(paginator, "offset_param", "offset_body_path", "offset")
    _place_param(paginator, "limit_param", "limit_body_path", "limit")
    if paginator["limit_param"] in (endpoint.get("params") or {}):
        endpoint["params"] = {
            key: value for key, value in endpoint["params"].items() if key != paginator["limit_param"]
        }
    last = paginator.pop("maximum_offset", None)
    if last is not None:
        paginator["max_pages"] = max(-(-(last - start) // max(paginator.get("limit", 1), 1)), 1)
    return _ended(paginator, "total_records", bounded=last is not None)


def _ended(paginator: Document, told: str, *, bounded: bool) -> Document:
    """Say how a counted list ends: by the flag, by the total that is named, else by the first empty page."""
    total = paginator.pop("total_path", None) or None
    stops_when_empty = paginator.pop("stop_after_empty_page", True)
    if paginator.get("has_more_path"):
        end = "has_more"
    elif total is not None:
        end, paginator[f"{told}_path"] = told, total
    elif stops_when_empty or bounded:
        end = "empty_page"
    else:
        raise SpecError(
            "has no end: name total_path, has_more_path or maximum, or let it stop after an empty page",
            "key endpoint.paginator",
        )
    return {**paginator, "end": end}


def _canonical_cursor(paginator: Document, _endpoint: Document) -> Document:
    paginator = {"cursor_path": "cursors.next", **paginator}
    _place_param(paginator, "cursor_param", "cursor_body_path", "cursor")
    stops_when_empty = paginator.pop("stop_after_empty_page", False)
    if paginator.get("has_more_path"):
        return {**paginator, "end": "has_more"}
    return {**paginator, **({"end": "empty_page"} if stops_when_empty else {})}


def _json_link(paginator: Document, _endpoint: Document) -> Document:
    return {"next_url_path": "next", **paginator, "type": "json_link"}


def _place_param(paginator: Document, in_query: str, in_body: str, default: str) -> None:
    """Write a parameter of the JSON body under the key of its query parameter, with the body as its place."""
    path = paginator.pop(in_body, None)
    if path is None:
        paginator.setdefault(in_query, default)
    elif in_query in paginator:
        raise SpecError(f"give {in_query} or {in_body}, not both", "key endpoint.paginator")
    else:
        paginator |= {in_query: path, "location": "json"}


_TURNS: dict[str, Callable[[Document, Document], Document]] = {
    "page_number": _canonical_page_number,
    "offset": _canonical_offset,
    "cursor": _canonical_cursor,
    "json_link": _json_link,
    "json_response": _json_link,
}
