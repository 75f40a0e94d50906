"""What an answer says of itself where nothing is declared: where its records are, and how it goes on.

The words looked for are those that dlt's own detection knows, so that a configuration that leaves them to dlt finds the
same here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from crm_assets.declarations.json_path import Segments

_RECORDS_KEYS = frozenset(
    {"data", "items", "results", "entries", "records", "rows", "entities", "payload", "content", "objects", "values"}
)
_NEXT_KEY = re.compile(r"next")
_ADDRESS = re.compile(r"href|url")
_PAGE_COUNT_KEY = re.compile(r"total_pages|pages|totalpages|page_count|pagecount|last_page|lastpage")
_PAGE_KEY = re.compile(r"page|current_page|currentpage|page_number|pagenumber")
_TOTAL_KEY = re.compile(r"total|count|total_count|totalcount|total_records|totalrecords|total_results|totalresults")
_SEARCH_DEPTH = 3
"""Members looked into: a count deeper than this belongs to a record, not to the list."""


def records_path(body: object) -> Segments:
    """Return where the records of an answer are: at a list with a usual name, else at the first list."""
    if not isinstance(body, dict):
        return ()
    lists = [path for path, value in members(body) if isinstance(value, list)]
    named = (path for path in lists if path[-1] in _RECORDS_KEYS)
    return next(named, lists[0] if lists else ())


def next_page(body: object) -> tuple[Segments, str | int] | None:
    """Return where an answer names its next page, and what stands there, or ``None``."""
    for path, value in members(body):
        if not _NEXT_KEY.match(path[-1].lower()):
            continue
        if isinstance(value, dict):
            inner = ((key, each) for key, each in value.items() if _ADDRESS.match(key.lower()))
            key, value = next(inner, ("", None))
            path = (*path, key)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "":
            return path, value
    return None


def count_of_pages(body: object) -> tuple[Segments, int] | None:
    """Return where an answer reports the number of pages, and the number, or ``None``."""
    return _count_at(body, _PAGE_COUNT_KEY.fullmatch)


def number_of_page(body: object) -> tuple[Segments, int] | None:
    """Return where an answer reports which page it is, and the number, or ``None``."""
    return _count_at(body, _PAGE_KEY.fullmatch)


def count_of_records(body: object) -> tuple[Segments, int] | None:
    """Return where an answer reports the number of records of the whole list, and the number, or ``None``."""
    return _count_at(body, _TOTAL_KEY.fullmatch)


def _count_at(body: object, wanted: Callable[[str], object]) -> tuple[Segments, int] | None:
    for path, value in members(body):
        text = str(value)
        if wanted(path[-1].lower()) and not isinstance(value, bool) and text.isdigit():
            return path, int(text)
    return None


def members(body: object, above: Segments = ()) -> Iterator[tuple[Segments, object]]:
    """Yield the members of nested objects, each object before what is in it; lists are not looked into."""
    if not isinstance(body, dict) or len(above) >= _SEARCH_DEPTH:
        return
    for key, value in body.items():
        yield (*above, key), value
        yield from members(value, (*above, key))
