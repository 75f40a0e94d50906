"""Read one resource: all its lists, each to its end, into its spool."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import IgnoredAnswerError, ReadError
from crm_assets.extract.http.client import ApiClient, Traffic
from crm_assets.extract.http.request import Request, list_request
from crm_assets.extract.listings import Listing, Listings
from crm_assets.extract.page_reader import PageReader
from crm_assets.extract.paging.list_memory import ListMemory
from crm_assets.extract.paging.movement import Fingerprint, Settled, Sighting, settle
from crm_assets.extract.paging.page import FetchPage, PagingState
from crm_assets.extract.paging.paginate import walk
from crm_assets.extract.progress import ProgressCallback
from crm_assets.extract.read_report import ReadReport, ReadTask
from crm_assets.extract.staging.decode_queue import Batches, DecodingThread, UndecodableError
from crm_assets.extract.staging.staged_rows import RowFilter, StagedRows

_DOUBTS = 20
"""Doubts of a resource that are kept; it may have thousands of lists, which are all alike."""
_GONE = (404, 410)
"""Statuses that say of a parent known from earlier reads alone that the source has deleted it."""


class Reader:
    """Reads one resource.

    Args:
        connection: The account.
        task: What to read.
        proof: Filled while reading.
        session: Sends the requests.
        spool: Takes the rows.
        decoding: Decodes the pages.
        watch: Told of progress.
        memory: What is known of how the resource's lists are paged.
    """

    def __init__(
        self,
        connection: Connection,
        task: ReadTask,
        proof: ReadReport,
        session: ApiClient,
        spool: StagedRows,
        decoding: DecodingThread,
        watch: ProgressCallback,
        memory: ListMemory,
    ) -> None:
        self.proof = proof
        self.traffic = Traffic()
        self.memory = memory
        self._connection = connection
        self._task = task
        self._endpoint = task.resource.endpoint
        self._pages = PageReader(session, self._endpoint, spool.decoder.inspect, self.traffic)
        self._batches = Batches(decoding, spool.append)
        self._decoding = decoding
        self._spool = spool
        if task.known:
            spool.remember_keys()
        self._watch = watch
        self._rows = 0
        self._ended_by = ""
        self._unseen: frozenset[Any] = frozenset()
        self._listings = Listings(connection, task)

    async def read(
        self,
        parents: list[Any] | None,
        unseen: frozenset[Any] = frozenset(),
        further: Mapping[Any, list[tuple[Any, ...]]] = MappingProxyType({}),
    ) -> None:
        """Read all lists to their ends.

        Args:
            parents: Values of the parent's column, one list each; ``None`` for a resource without a parent.
            unseen: Those known from earlier reads alone; the source may have deleted them since.
            further: What fills the placeholders beside the parent's key, by key.

        Raises:
            ReadError: One of the lists could not be read to its end.
        """
        self.proof.parents = None if parents is None else len(parents)
        self._unseen = unseen
        listings = deque(self._listings.of(parents, further))
        if self._task.spans:
            self.proof.unsettled = sorted(self._task.parent_windows.settled - {str(key) for key in parents or ()})
        workers = min(len(listings), self._connection.concurrency)
        try:
            await gather_or_cancel(self._work(listings) for _ in range(workers))
            await self._batches.finish()
        finally:
            self._batches.abandon()
        refused = len(self.proof.skipped) - self.proof.gone_parents
        if self.proof.lists == 0 and refused and not self._task.some_parents:
            raise ReadError(f"nothing could be read: {self.proof.skipped[0]}")
        self.proof.reason = (
            self._ended_by if self.proof.lists == 1 else f"all {self.proof.lists} lists read to their end"
        )

    async def _work(self, listings: deque[Listing]) -> None:
        while listings:
            listing = listings.popleft()
            try:
                await self._list(listing, listings)
                if listing.parent in self._listings.late:
                    listings.extend(self._listings.late.pop(listing.parent))
                    self.proof.settled.append(str(listing.parent))
            except UndecodableError:
                raise
            except ReadError as error:
                gone = listing.parent in self._unseen and error.status in _GONE
                ignored = isinstance(error, IgnoredAnswerError)
                ignored = ignored or error.status in self._endpoint.error_handler.ignore_status_codes
                if not gone and not ignored:
                    raise (error.at(str(listing)) if str(listing) else error) from error.__cause__
                self._pass_over(listing, error.problem, gone)

    def _pass_over(self, listing: Listing, problem: str, gone: bool) -> None:
        self.proof.skipped.append(f"{str(listing) or 'the list'}: {problem}")
        self.proof.gone_parents += gone
        if self._task.resource.parent:
            self.proof.passed_over.append(str(listing.parent))
            if listing.span:
                self.proof.missed.setdefault(str(listing.parent), []).append(listing.span)

    async def _list(self, listing: Listing, listings: deque[Listing]) -> None:
        source = _MovingList(self, listing, listings)
        first = await source.read_through()
        if source.split:
            return
        settled = await settle(source, first, known=self._task.known is not None, vanished=self._vanished)
        self.proof.moved = self.proof.moved or settled.moved
        if not settled.proven:
            self.proof.unproven = self.proof.unproven or _unproven(listing, settled, len(source.state.visited))
        self._finish(source.state)

    async def _vanished(self) -> int:
        """Return how many known records the only list of the resource has not brought."""
        if self._task.known is None:
            return 0
        await self._batches.finish()
        return await self._decoding.run(self._spool.missing, self._task.known)

    async def read_pass(self, listing: Listing, listings: deque[Listing], *, again: bool) -> PagingState | None:
        """Read a list from its first page to its end, or return ``None`` where it had to be split.

        Args:
            listing: The list.
            listings: Takes the parts of a window that has more rows than the API serves for one query.
            again: Whether it was read before.

        Raises:
            ReadError: It could not be read to its end.
        """
        walked, held, depth = PagingState(self.memory), [], self._listings.depth(listing)
        keep = replace(listing.keep, again=again)
        fetch, request = self.fetcher(listing), self._request(listing)
        async with aclosing(
            walk(self._endpoint.paginator, request, fetch, walked, self._connection.concurrency)
        ) as pages:
            async for page in pages:
                held.append(page.records)
                if depth and walked.records >= depth:
                    listings.extend(self._listings.split(listing, depth))
                    self.proof.pages += walked.pages
                    return None
                if not depth:
                    await self.take(held.pop(), keep, walked.pages)
        for records in held:
            await self.take(records, keep, walked.pages)
        self.proof.pages += walked.pages
        self.proof.repeats += 0 if again else walked.repeats
        return walked

    def _request(self, listing: Listing) -> Request:
        since = self._task.start_of(listing.parent)
        return list_request(self._connection, self._task.resource, listing.values, listing.span, since)

    def fetcher(self, listing: Listing) -> FetchPage:
        """Return the function that reads a page of a list."""
        span = listing.span
        spans = {"window_start": span.start.isoformat(), "window_end": span.end.isoformat()} if span else {}
        return self._pages.fetcher({**self._connection.params, **listing.values, **spans})

    async def take(self, records: Records, keep: RowFilter, pages: int) -> None:
        """Hand the records of a page on to be decoded.

        Args:
            records: The records.
            keep: Which of them belong to the list.
            pages: Pages of the list so far.
        """
        self._rows += 0 if keep.again else records.count
        self._watch(self._task.resource.name, self.proof.pages + pages, self._rows)
        await self._batches.add(records, keep)

    def _finish(self, walked: PagingState) -> None:
        self.proof.lists += 1
        self._ended_by = walked.ended_by
        found = [self._pages.found, walked.found]
        self.proof.found += [text for text in found if text and text not in self.proof.found]
        self.proof.assumed = self.proof.assumed or walked.assumed
        self.proof.doubts += [doubt for doubt in walked.doubts if len(self.proof.doubts) < _DOUBTS]
        if walked.reported_total is not None:
            self.proof.reported_total = (self.proof.reported_total or 0) + walked.reported_total


class _MovingList:
    """One list as a source of passes and of single pages.

    Args:
        reader: Reads it.
        listing: Which list it is.
        listings: Takes the parts of a window that has to be split.
    """

    def __init__(self, reader: Reader, listing: Listing, listings: deque[Listing]) -> None:
        self.state = PagingState()
        self.split = False
        self._reader = reader
        self._listing = listing
        self._listings = listings
        self._passes = 0

    async def read_through(self) -> Sighting:
        """Read the list from its first page to its end."""
        self._passes += 1
        state = await self._reader.read_pass(self._listing, self._listings, again=self._passes > 1)
        self.split = self.split or state is None
        self.state = state or self.state
        return self.state.sighting

    async def read_again(self, page: int) -> Fingerprint:
        """Read a page of the last pass again; what it has that it had not before is kept."""
        request, before = self.state.visited[page]
        if request is None:
            return before
        found = await self._reader.fetcher(self._listing)(request, f"page {page + 1}, read again,")
        if found.records.fingerprint != before:
            await self._reader.take(found.records, replace(self._listing.keep, again=True), 0)
        return found.records.fingerprint


def _unproven(listing: Listing, settled: Settled, pages: int) -> str:
    place = f"{listing}: " if str(listing) else ""
    return (
        f"{place}rows moved while its {pages} pages were read ({settled.moved}), so a record may be missing; "
        f"nothing was marked as deleted, and the next run settles it"
    )


async def gather_or_cancel(work: Iterable[Awaitable[None]]) -> None:
    """Run side by side; the first failure cancels the others and is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
