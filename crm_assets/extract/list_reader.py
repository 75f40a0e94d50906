"""Read one list: pass by pass and page by page, until it is known what of it can be missing."""

from __future__ import annotations

from collections import deque
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from crm_assets.extract.decode.records import Records
from crm_assets.extract.http.request import Request
from crm_assets.extract.listings import Listing, Listings
from crm_assets.extract.paging.list_memory import ListMemory
from crm_assets.extract.paging.movement import Fingerprint, Settled, Sighting, settle
from crm_assets.extract.paging.page import FetchPage, PagingState
from crm_assets.extract.paging.paginate import walk
from crm_assets.extract.read_report import ReadTask
from crm_assets.extract.resume.journal import ListOutcome
from crm_assets.extract.resume.kept_list import KeptList
from crm_assets.extract.staging.row_filter import RowFilter


class ResourceRead(Protocol):
    """The read of the resource that a list belongs to."""

    task: ReadTask
    memory: ListMemory
    listings: Listings

    @property
    def concurrency(self) -> int:
        """Greatest number of requests in flight."""

    @property
    def found(self) -> str:
        """Where the records were found, if that is not declared, as a clause."""

    def request(self, listing: Listing) -> Request:
        """Return the request of a list, without paging parameters."""

    def fetcher(self, listing: Listing) -> FetchPage:
        """Return the function that reads a page of a list."""

    async def take(self, records: Records, keep: RowFilter, pages: int) -> None:
        """Hand the records of a page on to be decoded."""

    async def vanished(self) -> int:
        """Return how many known records the only list of the resource has not brought."""


class ListReader:
    """Reads one list.

    Args:
        reader: Reads the resource; takes the rows.
        listing: Which list it is.
        listings: Takes the parts of a window that has more rows than the API serves for one query.
        kept: What an earlier run read of it, and where its pages are kept for a later one.
    """

    def __init__(self, reader: ResourceRead, listing: Listing, listings: deque[Listing], kept: KeptList) -> None:
        self._reader = reader
        self._listing = listing
        self._listings = listings
        self._kept = kept
        self._depth = reader.listings.depth(listing)
        self._state = PagingState()
        self._passes = 0
        self._pages = 0
        self._repeats = 0
        self._split = False

    async def read(self) -> ListOutcome:
        """Read the list to its end, or from the journal if an earlier run did; return what that showed.

        Raises:
            ReadError: It could not be read to its end.
        """
        outcome = self._kept.outcome
        if outcome is None:
            outcome = await self._read_now()
            self._kept.end(outcome)
        else:
            await self._take_kept(outcome)
        if outcome.split and self._depth:
            self._listings.extend(self._reader.listings.split(self._listing, self._depth))
        return outcome

    async def _read_now(self) -> ListOutcome:
        first, known = await self.read_through(), self._reader.task.known is not None
        if not self._split:
            settled = await settle(self, first, known=known, vanished=self._reader.vanished)
        if self._split:
            return ListOutcome(self._pages, repeats=self._state.records, split=True)
        state = self._state
        return ListOutcome(
            self._pages,
            state.memory.filled,
            self._repeats,
            state.ended_by,
            tuple(text for text in (self._reader.found, state.found) if text),
            state.assumed,
            tuple(state.doubts),
            state.reported_total,
            settled.moved,
            "" if settled.proven else _unproven(self._listing, settled, len(state.visited)),
        )

    async def _take_kept(self, outcome: ListOutcome) -> None:
        for number, page in enumerate(self._kept.pages() if not outcome.split else (), 1):
            await self._reader.take(page.records, replace(self._listing.keep, again=page.again), number)

    async def read_through(self) -> Sighting:
        """Read the list from its first page to its end."""
        self._passes += 1
        again, state, held = self._passes > 1, PagingState(self._reader.memory), list[Records]()
        request, fetch = self._reader.request(self._listing), self._reader.fetcher(self._listing)
        if not again:
            fetch = await self._kept.resumed(request, fetch)
        paginator, ahead = self._reader.task.resource.endpoint.paginator, self._reader.concurrency
        async with aclosing(walk(paginator, request, fetch, state, ahead)) as pages:
            async for page in pages:
                held.append(page.records)
                if not page.kept:
                    self._kept.add(page, state.pages, again=again)
                if self._depth and state.records >= self._depth:
                    self._split = True
                    break
                if not self._depth:
                    await self._take(held.pop(), state.pages, again=again)
        self._pages += state.pages
        if not self._split:
            for records in held:
                await self._take(records, state.pages, again=again)
            self._repeats += 0 if again else state.repeats
            self._state = state
        return self._state.sighting

    async def read_again(self, page: int) -> Fingerprint:
        """Read a page of the last pass again; what it has that it had not before is kept."""
        request, before = self._state.visited[page]
        if request is None:
            return before
        found = await self._reader.fetcher(self._listing)(request, f"page {page + 1}, read again,")
        if found.records.fingerprint != before:
            self._kept.add(found, page, again=True)
            await self._take(found.records, 0, again=True)
        return found.records.fingerprint

    async def _take(self, records: Records, pages: int, *, again: bool) -> None:
        await self._reader.take(records, replace(self._listing.keep, again=again), pages)


def _unproven(listing: Listing, settled: Settled, pages: int) -> str:
    place = f"{listing}: " if str(listing) else ""
    return (
        f"{place}rows moved while its {pages} pages were read ({settled.moved}), so a record may be missing; "
        f"nothing was marked as deleted, and the next run settles it"
    )
