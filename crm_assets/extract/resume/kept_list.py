"""One list in the journal: what an earlier run read of it, and what this one adds.

A list that was read to its end is not asked for again. One that is counted by page or offset goes on with its last
page, which is read again: if it begins with the same record as before, no record has crossed its beginning, and what
follows is what would have followed then. If not, rows moved meanwhile, and the list is read from its beginning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256

import msgspec

from crm_assets.declarations.json_path import dig
from crm_assets.declarations.models.base import deep_merge
from crm_assets.declarations.models.paginator import Offset, PageNumber, Paginator
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.request import Request
from crm_assets.extract.listings import Listing
from crm_assets.extract.paging.page import FetchPage, Page, begins_alike, with_page_size
from crm_assets.extract.paging.response_body import kept_body
from crm_assets.extract.resume.journal import Dropped, Journal, KeptPage, ListEnded, ListOutcome

_CONTENT = frozenset({200, 400, 404, 410, 416, 422})
"""Statuses of answers to the request itself; with any other the server was away, or would not let us in."""


class KeptList:
    """What is kept of a list.

    Args:
        journal: Where.
        listing: Which list.
        since: Where its read starts.
        paginator: How it is paged.
    """

    def __init__(self, journal: Journal, listing: Listing, since: datetime | None, paginator: Paginator) -> None:
        named = [sorted(listing.values.items()), listing.dates, listing.keep.include_undated, since]
        self._name = sha256(json.dumps(named, default=str).encode()).digest()[:16]
        self._journal = journal
        self._paginator = paginator if isinstance(paginator, (PageNumber, Offset)) else None
        self._away = False
        """Whether a request failed because the server was away, or did not let us in."""
        self._secret = False
        """Whether an answer shows a secret: nothing of the list is kept."""
        self.used = 0
        """Pages of an earlier run that this one goes on behind."""

    @property
    def outcome(self) -> ListOutcome | None:
        """How it ended, where it was read to its end."""
        return self._journal.kept(self._name).outcome

    def pages(self) -> Iterator[KeptPage]:
        """Yield the pages, those last that were read again."""
        kept = self._journal.kept(self._name)
        yield from map(self._journal.page, [*kept.pages.values(), *kept.again])

    async def resumed(self, request: Request, fetch: FetchPage) -> FetchPage:
        """Return the function that reads the list's pages, those of the earlier run from the journal.

        Args:
            request: The list's request, without paging parameters.
            fetch: Sends a request.

        Raises:
            ReadError: The page to go on from could not be read.
        """
        kept = dict(self._journal.kept(self._name).pages)

        async def ask(wanted: Request, name: str) -> Page:
            try:
                return await fetch(wanted, name)
            except ReadError as error:
                self._away = error.status not in _CONTENT
                raise

        last = await self._unchanged(request, ask) if len(kept) > 1 else None
        if last is None:
            self.drop()
            return ask
        self.used = len(kept) - 1

        async def fetch_others(wanted: Request, name: str) -> Page:
            at = self._place(wanted)
            if at == max(kept):
                return last
            return self._opened(kept[at], wanted) if at in kept else await ask(wanted, name)

        return fetch_others

    def add(self, page: Page, number: int, *, again: bool) -> None:
        """Keep a page that was read.

        Args:
            page: The page.
            number: Which page of its list it is.
            again: Whether the list, or the page, was read before.
        """
        at = self._place(page.request) if self._paginator and page.request else number
        facts = self._facts(page)
        if not self._secret and self._journal.is_secret(facts.decode()):
            self.drop()
            self._secret = True
        if not self._secret:
            self._journal.add(KeptPage(self._name, at, again, facts, page.records))

    def end(self, outcome: ListOutcome) -> None:
        """Note that the list was read to its end."""
        if not (self._secret or self._journal.is_secret(str(outcome))):
            self._journal.add(ListEnded(self._name, outcome))

    def drop(self) -> None:
        """Forget what is kept of the list."""
        kept = self._journal.kept(self._name)
        if kept.pages or kept.again or kept.outcome:
            self._journal.add(Dropped(self._name))

    def failed(self) -> None:
        """Forget a list that failed once more where it failed before, so that nothing kept can be the reason for long.

        An unreachable server, or one that refuses the key, does not count.
        """
        grown = len(self._journal.kept(self._name).pages) > self.used + 1
        if self.used and not (grown or self._away):
            self.drop()

    async def _unchanged(self, request: Request, fetch: FetchPage) -> Page | None:
        """Return the last page as it is now, or ``None`` if it begins elsewhere."""
        if self._paginator is None:
            return None
        at, place = max(self._journal.kept(self._name).pages.items())
        sized = with_page_size(self._paginator.location, self._paginator.limit_param, self._paginator.limit, request)
        wanted = sized.given(self._paginator.location, self._paginator.counter, at)
        try:
            now = await fetch(wanted, f"the page at {self._paginator.counter} {at}, read again to continue after it,")
        except ReadError:
            if self._away:
                raise
            return None
        return now if begins_alike(self._journal.page(place).records.fingerprint, now.records.fingerprint) else None

    def _opened(self, place: int, wanted: Request) -> Page:
        page = self._journal.page(place)
        return Page(kept_body(page.facts), page.records, request=wanted, kept=True)

    def _place(self, request: Request) -> int:
        if self._paginator is None:
            return 0
        inside = self._paginator.location == "json"
        path = tuple(self._paginator.counter.split(".")) if inside else (self._paginator.counter,)
        return int(dig(request.json if inside else request.params, path))

    def _facts(self, page: Page) -> bytes:
        """Return what the paginator looks at in a body, as an object with nothing else in it."""
        body: object = {}
        paths = ("total_pages_path", "total_records_path", "has_more_path", "next_link_path")
        for path in (getattr(self._paginator, name) for name in paths) if self._paginator else ():
            value = page.envelope.fact(path)
            for segment in reversed(path or ()):
                value = {segment: value}
            body = deep_merge(body, value) if path else body
        return msgspec.json.encode(body)
