"""Pages addressable by number or offset, fetched ahead and taken in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.paginator import Offset, PageNumber
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.page import FetchPage, Page, PagingState, limited, whole

_PAST_THE_END = frozenset({400, 404, 416, 422})
"""Statuses by which an API may refuse a page past the end."""


class Numbered:
    """Pages addressable by number or offset, fetched ahead."""

    def __init__(
        self, paginator: PageNumber | Offset, request: Request, fetch: FetchPage, walked: PagingState, ahead: int
    ) -> None:
        self._paginator = paginator
        self._request = limited(paginator.location, paginator.limit_param, paginator.limit, request)
        self._fetch = fetch
        self._walked = walked
        self._ahead = ahead
        self._pending: deque[asyncio.Task[Page]] = deque()
        self._next = 0
        self._total: int | None = None
        self._last: int | None = None
        self._fullest = 0

    async def pages(self) -> AsyncGenerator[Page, None]:
        """Yield the pages with records, in order, to the declared end."""
        width, index, short = 1, 0, False
        try:
            while True:
                self._launch(width)
                name = self._name(index)
                page = await self._pending.popleft()
                if self._repeats_the_first(index, page):
                    self._walked.ended_by = f"{name} repeats the first: the list comes whole"
                    return
                self._walked.note(page, name)
                ended = self._end(index, page, name)
                if page.records.count:
                    yield page
                if ended:
                    await self._confirm(ended, index, page, short)
                    self._walked.ended_by = ended
                    return
                short = page.records.count < self._fullest
                self._fullest = max(self._fullest, page.records.count)
                width = self._ahead if self._last is not None else 1 if short else min(width + 1, self._ahead)
                index += 1
        finally:
            await _abandon(self._pending)

    def _launch(self, width: int) -> None:
        most = self._paginator.max_pages
        bounds = [self._last] if most is None else [self._last, most - 1]
        while len(self._pending) < width and all(bound is None or self._next <= bound for bound in bounds):
            self._pending.append(asyncio.ensure_future(self._fetch(self._numbered(self._next), self._name(self._next))))
            self._next += 1

    def _numbered(self, index: int) -> Request:
        paginator, request = self._paginator, self._request
        if isinstance(paginator, PageNumber):
            return request.given(paginator.location, paginator.page_param, paginator.start_from_page + index)
        offset = paginator.start_offset + index * (paginator.limit or 1)
        return request.given(paginator.location, paginator.offset_param, offset)

    def _name(self, index: int) -> str:
        return f"page {index + (self._paginator.start_from_page if isinstance(self._paginator, PageNumber) else 1)}"

    def _end(self, index: int, page: Page, name: str) -> str:
        """Return how the list ended with this page, or an empty text."""
        paginator, count = self._paginator, page.records.count
        self._walked.note_total(page, paginator.total_records_path)
        total = whole(page.envelope.fact(paginator.total_pages_path))
        if total is None and paginator.end != "total_pages":
            total = self._total
        if total is not None:
            self._total, self._last = total, max(total - 1, 0)
            if index >= self._last:
                return f"{name} of {total} pages"
            if not count and total == self._walked.records:
                return f"{name} is empty, and {total} records were read, as many as it reports"
            if not count:
                raise ReadError(f"{name} of {total} is empty, though pages follow it")
            return ""
        if paginator.end == "total_pages":
            path = paginator.total_pages_path or ()
            raise ReadError(f"{name} does not tell {path_text(path)!r}, which ends the list")
        if paginator.end == "total_records":
            return self._counted_end(page, name)
        if paginator.end == "has_more":
            return self._told_end(page, name)
        if paginator.end == "no_next_link":
            return self._unlinked_end(page, name)
        if not count:
            return f"{name} is empty"
        if paginator.end == "short_page" and count < (paginator.limit or 0):
            return f"{name} is short"
        return ""

    def _counted_end(self, page: Page, name: str) -> str:
        path = self._paginator.total_records_path or ()
        total, seen = whole(page.envelope.fact(path)), self._walked.records
        if total is None:
            raise ReadError(f"{name} does not tell {path_text(path)!r}, which ends the list")
        if seen < total and not page.records.count:
            raise ReadError(f"{name} is empty, though {seen} of {total} records were read")
        return f"{name} completes the {total} records" if seen >= total else ""

    def _told_end(self, page: Page, name: str) -> str:
        path = self._paginator.has_more_path or ()
        more = page.envelope.fact(path)
        if more is None:
            raise ReadError(f"{name} does not tell {path_text(path)!r}, which ends the list")
        if more and not page.records.count:
            raise ReadError(f"{name} is empty, though the server says that more follow")
        return "" if more else f"{name} says that no more follow"

    def _unlinked_end(self, page: Page, name: str) -> str:
        if not page.envelope.fact(self._paginator.next_link_path):
            return f"{name} links to no further page"
        if not page.records.count:
            raise ReadError(f"{name} is empty, though it links to a further page")
        return ""

    def _repeats_the_first(self, index: int, page: Page) -> bool:
        if index != 1 or self._last is not None or self._paginator.on_repeat == "error":
            return False
        return bool(page.records.count) and page.records.fingerprint == self._walked.last

    async def _confirm(self, ended: str, index: int, page: Page, short: bool) -> None:
        """A doubtful end holds only if nothing follows it."""
        if not self._doubtful(page, short):
            return
        self._launch(1)
        if not self._pending:
            return
        try:
            after = await self._pending.popleft()
        except ReadError as error:
            if error.status not in _PAST_THE_END:
                raise
            await self._ask_again(index, page)
            return
        if after.records.count:
            raise ReadError(f"{ended}, but {self._name(index + 1)} has {after.records.count} records")

    async def _ask_again(self, index: int, page: Page) -> None:
        """Where nothing may be asked for past the end, an empty page that was no hiccup stays empty."""
        name = self._name(index)
        if page.records.count == 0 and (again := await self._fetch(self._numbered(index), name)).records.count:
            raise ReadError(f"{name} was empty, but has {again.records.count} records when asked for again")

    def _doubtful(self, page: Page, short: bool) -> bool:
        """An empty page after a full one may be a hiccup; a full page without a link may have lost it."""
        count, paginator = page.records.count, self._paginator
        if self._last is not None or paginator.end in ("has_more", "total_records"):
            return False
        if paginator.end == "no_next_link":
            return count >= (paginator.limit or 1) if count else self._fullest > 0
        return not count and not short


async def _abandon(pending: deque[asyncio.Task[Page]]) -> None:
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
