"""Pages addressable by number or offset, taken in order.

They are fetched ahead as far as the list is known to reach: by what the server reports, or by what an earlier read saw.
Beyond that each page is asked for only when the one before it is here, so that no list is asked for more than a page
behind its end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from crm_assets.declarations.models.paginator import Offset, PageNumber
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.end_rules import REFUSED, Ended, Place, end_rule
from crm_assets.extract.paging.page import FetchPage, Page, PagingState, reported, with_page_size

_BEHIND_THE_END = frozenset({404, 416})
"""Statuses that mean only that the page does not exist."""


@dataclass(frozen=True)
class _Asked:
    """A page that was asked for."""

    at: int
    """Its number, or its offset."""
    page: asyncio.Task[Page]


class Numbered:
    """The pages of one list.

    Args:
        paginator: How the list is paged and how it ends.
        request: The list's request, without paging parameters.
        fetch: Sends a request.
        state: Filled while reading.
        ahead: Greatest number of requests in flight.
    """

    def __init__(
        self, paginator: PageNumber | Offset, request: Request, fetch: FetchPage, state: PagingState, ahead: int
    ) -> None:
        self._paginator = paginator
        self._request = with_page_size(paginator.location, paginator.limit_param, paginator.limit, request)
        self._fetch = fetch
        self._state = state
        self._ahead = ahead
        self._rule = end_rule(paginator, state.memory)
        self._pending: deque[_Asked] = deque()
        self._dropped: list[_Asked] = []
        self._at = paginator.first
        self._index = 0
        self._known = state.memory.expected_pages
        """Pages the list has, as far as anybody knows."""
        self._reported_pages: int | None = None
        self._fullest = 0
        self._before = 0
        """Records of the page before."""
        self._since = self._at
        """Where the last page that was not a repetition is."""

    async def pages(self) -> AsyncGenerator[Page, None]:
        """Yield the pages with records, in order, to the declared end.

        Raises:
            ReadError: The end was not reached as declared.
        """
        doubt: Ended | None = None
        try:
            while True:
                page = await self._next(doubt)
                ended = self._refused() if page is None else self._repeated(page, doubt) or self._noted(page)
                if doubt and self._confirmed(doubt, ended, page):
                    ended = doubt.confirmed(doubt.kind)
                elif page and page.count and not (ended and ended.kind == "repeat"):
                    yield page
                if ended and ended.sure:
                    self._state.end(ended.how)
                    return
                doubt = ended
                self._advance(page)
        finally:
            await self._abandon()

    async def _next(self, doubt: Ended | None) -> Page | None:
        """Return the next page, or ``None`` where the server refuses it as lying behind the end."""
        self._launch()
        asked = self._pending.popleft()
        try:
            page = await asked.page
            return None if doubt and doubt.kind == "counted" and not page.count else page
        except ReadError as error:
            if self._index and error.status is not None and self._is_behind_the_end(error.status, doubt):
                return None
            raise

    def _is_behind_the_end(self, status: int, doubt: Ended | None) -> bool:
        """Whether a status says no more than that there is no such page."""
        match doubt.kind if doubt else None:
            case "counted":  # whatever is wrong with a page that by the server's own count does not exist
                return True
            case "empty" | "unlinked":
                return status in REFUSED
            case None if self._rule.reports_more:
                return False
            case _:
                return status in _BEHIND_THE_END

    def _launch(self) -> None:
        if self._pending and self._pending[0].at != self._at:
            self._drop()
        at = self._pending[-1].at + self._step if self._pending else self._at
        known = min(self._known, self._paginator.max_pages or self._known)
        width = 1 if self._before < self._fullest else max(min(self._ahead, known - self._index), 1)
        while len(self._pending) < width:
            name = self._name_of(self._index + len(self._pending), at)
            self._pending.append(_Asked(at, asyncio.ensure_future(self._fetch(self._numbered(at), name))))
            at += self._step

    @property
    def _step(self) -> int:
        match self._paginator:
            case PageNumber():
                return 1
            case Offset():
                return self._fullest or self._paginator.limit or 1

    def _numbered(self, at: int) -> Request:
        return self._request.given(self._paginator.location, self._paginator.counter, at)

    def _name_of(self, index: int, at: int) -> str:
        return f"page {at if isinstance(self._paginator, PageNumber) else index + 1}"

    @property
    def _name(self) -> str:
        return self._name_of(self._index, self._at)

    def _refused(self) -> Ended:
        sure = self._before < self._fullest or self._state.memory.trusts_empty(self._index)
        return Ended(f"{self._name} does not exist", "refused", sure)

    def _repeated(self, page: Page, doubt: Ended | None) -> Ended | None:
        """Return an end if a page is the last one again; the first one again says nothing, unless that was declared."""
        if doubt and doubt.kind == "counted" and self._state.has_seen(page):
            return doubt.confirmed("repeat")
        if not self._state.repeats_the_last(page):
            return None
        known = self._state.memory.repeats_last
        if self._index > 1 or known or self._between:
            sure = known and not self._may_overlap
            return Ended(f"{self._name} repeats the page before", "repeat", sure)
        counted = reported(page, self._paginator.total_pages_path, self._name) is not None
        if self._paginator.on_repeat == "end" and not counted:
            return Ended(f"{self._name} repeats the first: the whole list is in one page", "repeat")
        numbered = isinstance(self._paginator, PageNumber) and not counted
        if numbered and self._paginator.end == "short_page" and page.count < (self._paginator.limit or 0):
            self._state.memory.learn(short_ends=True)
            return Ended(f"{self._name} repeats the first, which is short", "repeat")
        return None

    @property
    def _between(self) -> bool:
        """Whether the offset is none of the multiples of ``limit``; some servers know no others and round it down."""
        paginator = self._paginator
        return isinstance(paginator, Offset) and (self._at - paginator.first) % (paginator.limit or 1) > 0

    @property
    def _may_overlap(self) -> bool:
        """Whether a page may show the same records as the last one because few of those in both are shown at all."""
        paginator = self._paginator
        return isinstance(paginator, Offset) and self._at - self._since < (paginator.limit or self._fullest)

    def _noted(self, page: Page) -> Ended | None:
        """Take note of a page and return whether the list ends with it."""
        state, count, name = self._state, page.count, self._name
        self._since = self._at
        state.note(page, name)
        state.memory.note_page(count)
        state.note_total(page, self._paginator.total_records_path, name)
        self._note_pages(reported(page, self._paginator.total_pages_path, name))
        place = Place(
            self._index,
            name,
            self._fullest,
            self._before,
            state.records,
            state.reported_total,
            self._reported_pages,
            self._paginator.limit,
        )
        ended = self._rule.check(page, place)
        self._fullest = max(self._fullest, count)
        if self._reported_pages is None and state.reported_total is not None and self._fullest:
            self._known = -(-state.reported_total // self._fullest)
        return ended

    def _note_pages(self, pages: int | None) -> None:
        if pages is not None:
            self._known = self._reported_pages = pages

    def _confirmed(self, doubt: Ended, ended: Ended | None, page: Page | None) -> bool:
        """Return whether a page confirms that the list ended before it; after a short page the list may go on.

        Raises:
            ReadError: The list goes on after a page that was empty or refused, or had lost its link.
        """
        repeated = ended is not None and ended.kind == "repeat"
        if repeated and isinstance(self._paginator, Offset) and (doubt.kind != "repeat" or self._may_overlap):
            return False  # records left out of pages make offsets overlap; a server that repeats its end does so again
        nothing = page is None or not page.count
        if repeated or (nothing and (doubt.kind != "repeat" or isinstance(self._paginator, Offset))):
            self._state.memory.learn_end(doubt.kind)
            return True
        if doubt.kind == "repeat" and isinstance(self._paginator, Offset):
            return False
        if doubt.kind not in ("short", "counted"):
            raise ReadError(f"{doubt.how}, but {self._name} has {page.count if page else 0} records")
        self._state.memory.learn(uneven=self._state.memory.now.uneven or doubt.kind == "short")
        return False

    @property
    def _to_next_multiple(self) -> int:
        limit = self._paginator.limit or 1
        return limit - (self._at - self._paginator.first) % limit

    def _advance(self, page: Page | None) -> None:
        count = page.count if page else 0
        match self._paginator:
            case PageNumber():
                self._at += 1
            case Offset():
                # A page that is longer than asked for may have a record twice; what is read twice is not lost.
                read = min(count, self._paginator.limit or count)
                self._at += read or self._to_next_multiple
                # Where records are left out of a page, the next one begins before what was left out ends; the last page
                # is merely short.
                if count and self._before:
                    self._state.repeats += max(min(self._fullest, self._paginator.limit or 0) - self._before, 0)
        self._before = count
        self._index += 1

    def _drop(self) -> None:
        for asked in self._pending:
            asked.page.cancel()
        self._dropped += self._pending
        self._pending.clear()

    async def _abandon(self) -> None:
        self._drop()
        await asyncio.gather(*(asked.page for asked in self._dropped), return_exceptions=True)
