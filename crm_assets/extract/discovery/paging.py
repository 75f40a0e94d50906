"""How a list is paged: shown by its first response, or else found by trying common parameters.

Nothing is believed that was not seen to work: a parameter counts if it leads to other records, and if its first value
leads back to the first page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from crm_assets.declarations.json_path import Segments, dig, path_text
from crm_assets.extract.discovery.asker import Asker, DecodedAnswer
from crm_assets.extract.discovery.places import cursor_of, more_path
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.paging_facts import count_of_pages, count_of_records

_CURSORS = ("cursor", "after", "page_token", "pageToken", "starting_after", "offset", "page")
_AFTER_LAST = ("starting_after", "after", "after_id", "last_id", "cursor", "since_id")
_OFFSET_PARAMS = (("offset", "limit"), ("skip", "limit"), ("skip", "take"), ("start", "limit"))
_NEXT_RELATION = re.compile(r"""rel\s*=\s*["']?\s*next\b""", re.IGNORECASE)
Paging = dict[str, Any]


@dataclass(frozen=True)
class FoundPaging:
    """A paginator, and what of it nothing proves."""

    paginator: Paging
    assumed: str = ""


@dataclass(frozen=True)
class PagingSearch:
    """Looks for the way a list is paged.

    Args:
        asker: Asks.
        request: The list's request.
        selector: Where the records are.
        first: The first answer.
        key: Field that identifies records, if one does.
    """

    asker: Asker
    request: Request
    selector: Segments
    first: DecodedAnswer
    key: Segments | None

    async def find(self) -> FoundPaging:
        """Return how the list is paged.

        Raises:
            ReadError: The server stopped answering, or refused the credentials.
        """
        if _NEXT_RELATION.search(self.first.headers.get("Link", "")):
            return FoundPaging({"type": "header_link"})
        named = cursor_of(self.first.body)
        if named and (found := await self._named(*named)):
            return found
        if not isinstance(dig(self.first.body, self.selector), list):
            return FoundPaging({"type": "single_page"})
        total = count_of_records(self.first.body)
        if total and total[1] == len(self._first_records):
            return FoundPaging({"type": "single_page", "total_records_path": path_text(total[0])})
        return await self._pages() or await self._offsets() or await self._after_the_last() or self._single()

    @property
    def _first_records(self) -> list[Any]:
        return self.first.records(self.selector)

    @property
    def _location(self) -> Literal["query", "json"]:
        return "json" if self.request.json is not None else "query"

    def _placed(self, paginator: Paging) -> Paging:
        return {**paginator, "location": "json"} if self._location == "json" else paginator

    async def _named(self, path: Segments, value: str | int) -> FoundPaging | None:
        if isinstance(value, str) and value.startswith(("http://", "https://", "/")):
            return FoundPaging({"type": "json_link", "next_url_path": path_text(path)})
        name = path[-1].removeprefix("next").lstrip("_-")
        names = dict.fromkeys((name, f"{name[:1].lower()}{name[1:]}", *_CURSORS, path[-1]))
        for param in filter(None, names):
            if self._advances(await self._with(param, value)):
                paginator = {"type": "cursor", "cursor_path": path_text(path), "cursor_param": param}
                return FoundPaging(self._placed({**paginator, **self._flag()}))
        return None

    async def _pages(self) -> FoundPaging | None:
        second = await self._with("page", 2)
        if second is None or not (self._advances(second) or self._is_empty(second)):
            return None
        for first in (1, 0):
            if self._same(await self._with("page", first)):
                start = {} if first else {"start_from_page": 0}
                paginator = {"type": "page_number", "page_param": "page", **start, **self._end(second)}
                return FoundPaging(self._placed(paginator), self._ended(second, "page"))
        return None

    async def _offsets(self) -> FoundPaging | None:
        count = len(self._first_records)
        for offset, limit in _OFFSET_PARAMS if count else ():
            second = await self._with(offset, count, {limit: count})
            if second is None or not (self._advances(second) or self._is_empty(second)):
                continue
            if self._same(await self._with(offset, 0, {limit: count})):
                paginator = {"type": "offset", "offset_param": offset, "limit_param": limit, "limit": count}
                return FoundPaging(self._placed({**paginator, **self._end(second)}), self._ended(second, offset))
        return None

    async def _after_the_last(self) -> FoundPaging | None:
        last = dig(self._first_records[-1], self.key) if self.key and self._first_records else None
        for param in _AFTER_LAST if isinstance(last, (str, int)) else ():
            if self._advances(await self._with(param, last)):
                path = path_text((*self.selector, "-1", *(self.key or ())))
                flag = self._flag() or {"end": "empty_page"}
                return FoundPaging(
                    self._placed({"type": "cursor", "cursor_path": path, "cursor_param": param, **flag}),
                    f"the cursor {param} is the key of the last record on a page",
                )
        return None

    def _single(self) -> FoundPaging:
        return FoundPaging(
            {"type": "single_page"},
            f"all {len(self._first_records)} records come in one answer: it names no next page, and no usual parameter "
            f"leads to one",
        )

    async def _with(self, param: str, value: Any, further: Paging | None = None) -> DecodedAnswer | None:
        request = self.request.given(self._location, param, value)
        for name, other in (further or {}).items():
            request = request.given(self._location, name, other)
        return await self.asker.tried(request)

    def _advances(self, seen: DecodedAnswer | None) -> bool:
        """Whether an answer has records, none of which the first page has."""
        mine = set(_texts(seen.records(self.selector))) if seen else set()
        return bool(mine) and mine.isdisjoint(_texts(self._first_records))

    def _same(self, seen: DecodedAnswer | None) -> bool:
        return seen is not None and list(_texts(seen.records(self.selector))) == list(_texts(self._first_records))

    def _is_empty(self, seen: DecodedAnswer) -> bool:
        return not seen.records(self.selector)

    def _flag(self) -> Paging:
        more = more_path(self.first.body)
        return {"end": "has_more", "has_more_path": path_text(more)} if more else {}

    def _end(self, second: DecodedAnswer) -> Paging:
        body = self.first.body
        pages, records = count_of_pages(body), count_of_records(body)
        if pages and (pages[1] > 1) == self._advances(second):
            return {"end": "total_pages", "total_pages_path": path_text(pages[0])}
        if records and (records[1] > len(self._first_records)) == self._advances(second):
            return {"end": "total_records", "total_records_path": path_text(records[0])}
        return self._flag() or {"end": "empty_page"}

    def _ended(self, second: DecodedAnswer, param: str) -> str:
        if self._advances(second):
            return ""
        return f"{param} pages the list; it has a single page now, so only the empty second one shows it"


def _texts(records: list[Any]) -> Iterator[bytes]:
    return map(msgspec.json.encode, records)
