"""Where things are in an answer: its records, and what it says about the next page."""

from __future__ import annotations

import re
from typing import Any

from crm_assets.declarations.json_path import Segments, dig
from crm_assets.extract.paging.paging_facts import members, next_page, records_path

_MORE_NAME = re.compile(r"(has|is)?_?more(_?(results|items))?|has_?next(_?page)?", re.IGNORECASE)
_CURSOR_NAME = re.compile(r"(end_?|last_?)?cursor|after|continuation(_?token)?|page_?token|scroll_?id", re.IGNORECASE)


def selector_of(body: Any) -> Segments:
    """Return where the records of an answer are; ``()`` for the answer itself, a list or one object."""
    if not isinstance(body, dict):
        return ()
    if "id" in body:
        return ()
    path = records_path(body)
    found = dig(body, path)
    if path and isinstance(found, list) and (not found or isinstance(found[0], dict)):
        return path
    lists = (p for p, value in members(body) if isinstance(value, list) and value and isinstance(value[0], dict))
    return next(lists, ())


def more_path(body: Any) -> Segments | None:
    """Return where an answer says whether another page follows."""
    flags = (path for path, value in members(body) if _MORE_NAME.fullmatch(path[-1]) and isinstance(value, (bool, str)))
    return next(flags, None)


def cursor_of(body: Any) -> tuple[Segments, str | int] | None:
    """Return where an answer names the next page by a link or cursor, and what is there."""
    found = next_page(body)
    if found:
        return found
    for path, value in members(body):
        if _CURSOR_NAME.fullmatch(path[-1]) and isinstance(value, (str, int)) and not isinstance(value, bool) and value:
            return path, value
    return None


def links_of(body: Any, base_url: str) -> list[str]:
    """Return the paths below an address that its answer links to, as some APIs list what they have."""
    if not isinstance(body, dict):
        return []
    base = f"{base_url.rstrip('/')}/"
    links = [value for value in body.values() if isinstance(value, str) and value.startswith(base)]
    return [link.removeprefix(base[:-1]) for link in links if "{" not in link and "?" not in link]
