"""Paging of a list, inferred from the names of its parameters and of the fields of its responses.

An OpenAPI document does not say how lists are paged. Names are all there is: what they are taken for is told, and where
there are none the answers are looked at.
"""

from __future__ import annotations

import re
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.openapi.schemas import Schemas
from crm_assets.declarations.json_path import Segments, path_text

_PAGE = frozenset({"page", "pagenumber", "pageno", "pageindex", "pagepage", "currentpage"})
_OFFSET = frozenset({"offset", "skip", "start", "startindex", "startat", "from", "pageoffset"})
_CURSOR = frozenset(
    {"cursor", "after", "pagetoken", "nexttoken", "continuationtoken", "pagecursor", "pageafter", "bookmark"}
)
_SIZE = frozenset(
    {"limit", "perpage", "pagesize", "size", "count", "maxresults", "top", "take", "pagelimit", "first", "itemsperpage"}
)
_NEXT_CURSOR = frozenset(
    {"nextcursor", "nextpagetoken", "nexttoken", "endcursor", "after", "cursor", "next", "continuationtoken"}
)
_NEXT_LINK = frozenset({"next", "nexturl", "nextlink", "nextpage", "nextpageurl", "odatanextlink", "href", "nexthref"})
_PAGE_COUNT_NAMES = frozenset({"totalpages", "pagecount", "lastpage", "pages", "numpages"})
_TOTAL = frozenset({"total", "totalcount", "totalrecords", "totalitems", "totalresults"})
_MORE = frozenset({"hasmore", "more", "hasnext", "hasnextpage", "hasmoreitems"})
_USUAL_LIMIT = 100


def paging(
    parameters: list[Document], answer: Any, headers: Any, selector: Segments, schemas: Schemas
) -> tuple[Document, str]:
    """Return a paginator, and what it was inferred from.

    Args:
        parameters: The list's, resolved.
        answer: Schema of its answer.
        headers: Headers of its answer.
        selector: Segments of the records.
        schemas: Resolves.
    """
    query = {_word(one["name"]): one for one in parameters if one.get("in") == "query"}
    members = [
        (path, schema) for path, schema in schemas.members(answer) if path[: len(selector)] != selector or not selector
    ]
    sized = _page_size_keys(query, schemas)
    link = _first(members, _NEXT_LINK, "string")
    if link and ("uri" in str(link[1].get("format")) or not _any(query, _CURSOR | _PAGE | _OFFSET)):
        return {
            "type": "json_link",
            "next_url_path": path_text(link[0]),
            **sized,
        }, f"{path_text(link[0])} of the answer"
    if isinstance(headers, dict) and any(name.lower() == "link" for name in headers):
        return {"type": "header_link", "links_next_key": "next", **sized}, "the header Link of the answer"
    if cursor := _any(query, _CURSOR):
        following = _first(members, _NEXT_CURSOR, "string")
        if following:
            page = {"type": "cursor", "cursor_path": path_text(following[0]), "cursor_param": cursor["name"], **sized}
            return {
                **page,
                **_has_more_flag(members),
            }, f"the parameter {cursor['name']} and {path_text(following[0])} of the answer"
    if counter := _any(query, _PAGE):
        schema = schemas.whole(counter.get("schema"))
        start = 0 if schema.get("default", schema.get("minimum")) == 0 else 1
        found = {"type": "page_number", "page_param": counter["name"], "start_from_page": start, **sized}
        return {**found, **_end(members, sized)}, f"the parameter {counter['name']}, counted from {start}"
    if offset := _any(query, _OFFSET):
        found = {"type": "offset", "offset_param": offset["name"], **sized}
        return {**found, **_end(members, sized)}, f"the parameter {offset['name']}"
    return {"type": "auto"}, ""


def is_of_paging(parameter: Document) -> bool:
    """Whether a parameter is one that the paging sends."""
    return _word(parameter["name"]) in _PAGE | _OFFSET | _CURSOR | _SIZE


def _word(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _any(query: dict[str, Document], names: frozenset[str]) -> Document | None:
    return next((query[name] for name in query if name in names), None)


def _first(
    members: list[tuple[Segments, Document]], names: frozenset[str], kind: str
) -> tuple[Segments, Document] | None:
    fitting = (
        (path, schema) for path, schema in members if _word(path[-1]) in names and kind in str(schema.get("type"))
    )
    return next(fitting, None)


def _page_size_keys(query: dict[str, Document], schemas: Schemas) -> Document:
    size = _any(query, _SIZE)
    if size is None:
        return {}
    schema = schemas.whole(size.get("schema"))
    most = next((schema[key] for key in ("maximum", "default") if isinstance(schema.get(key), int)), _USUAL_LIMIT)
    return {"limit_param": size["name"], "limit": max(1, min(int(most), 1000))}


def _end(members: list[tuple[Segments, Document]], sized: Document) -> Document:
    """Return what ends a counted list: what the answer reports, or else a page that is not full."""
    if pages := _first(members, _PAGE_COUNT_NAMES, "integer"):
        return {"end": "total_pages", "total_pages_path": path_text(pages[0])}
    if total := _first(members, _TOTAL, "integer"):
        return {"end": "total_records", "total_records_path": path_text(total[0])}
    return _has_more_flag(members) or {"end": "short_page" if sized else "empty_page"}


def _has_more_flag(members: list[tuple[Segments, Document]]) -> Document:
    more = _first(members, _MORE, "boolean")
    return {"end": "has_more", "has_more_path": path_text(more[0])} if more else {}
