"""Read one resource: all its lists, each to its end, into its staged rows."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import IgnoredAnswerError, ReadError, UnaddressableError
from crm_assets.extract.http.client import ApiClient, Traffic
from crm_assets.extract.http.request import Request, list_request
from crm_assets.extract.list_reader import ListReader
from crm_assets.extract.listings import Listing, Listings
from crm_assets.extract.page_reader import PageReader
from crm_assets.extract.paging.list_memory import ListMemory
from crm_assets.extract.paging.page import FetchPage
from crm_assets.extract.progress import ProgressCallback
from crm_assets.extract.read_report import ReadReport, ReadTask
from crm_assets.extract.resume.journal import Journal, ListOutcome
from crm_assets.extract.resume.kept_list import KeptList
from crm_assets.extract.staging.decode_queue import Batches, DecodingThread, UndecodableError
from crm_assets.extract.staging.row_filter import RowFilter
from crm_assets.extract.staging.staged_rows import StagedRows

_DOUBTS = 20
"""Doubts of a resource that are kept; it may have thousands of lists, which are all alike."""
_GONE_STATUSES = (404, 410)
"""Statuses that say of a parent known from earlier reads alone that the source has deleted it."""


class Reader:
    """Reads one resource.

    Args:
        connection: The account.
        task: What to read.
        report: Filled while reading.
        session: Sends the requests.
        staged: Takes the rows.
        decoding: Decodes the pages.
        watch: Told of progress.
        memory: What is known of how the resource's lists are paged.
        journal: What an interrupted read brought, and where this one keeps what it brings.
    """

    def __init__(
        self,
        connection: Connection,
        task: ReadTask,
        report: ReadReport,
        session: ApiClient,
        staged: StagedRows,
        decoding: DecodingThread,
        watch: ProgressCallback,
        memory: ListMemory,
        journal: Journal,
    ) -> None:
        self.report = report
        self.task = task
        self.traffic = Traffic()
        self.memory = memory
        self.listings = Listings(connection, task)
        self._journal = journal
        self._connection = connection
        self._endpoint = task.resource.endpoint
        self._pages = PageReader(session, self._endpoint, staged.decoder.inspect, self.traffic)
        self._batches = Batches(decoding, staged.append)
        self._decoding = decoding
        self._staged = staged
        self._watch = watch
        self._rows = 0
        self._ended_by = ""
        self._unseen: frozenset[Any] = frozenset()

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
        self.report.parents = None if parents is None else len(parents)
        self._unseen = unseen
        if self.task.known:
            await self._decoding.run(self._staged.remember_keys)
        listings = deque(self.listings.of(parents, further))
        if self.task.date_ranges:
            self.report.unsettled = sorted(self.task.list_windows.settled - self.listings.keys)
        workers = min(len(listings), self._connection.concurrency)
        try:
            await gather_or_cancel(self._work(listings) for _ in range(workers))
            await self._batches.finish()
        finally:
            self._batches.abandon()
        refused = len(self.report.skipped) - self.report.gone_parents
        if self.report.lists == 0 and refused and not self.task.some_parents:
            raise ReadError(f"nothing could be read: {self.report.skipped[0]}")
        self.report.reason = (
            self._ended_by if self.report.lists == 1 else f"all {self.report.lists} lists read to their end"
        )

    async def _work(self, listings: deque[Listing]) -> None:
        while listings:
            listing = listings.popleft()
            try:
                await self._list(listing, listings)
                if listing.key in self.listings.late:
                    listings.extend(self.listings.late.pop(listing.key))
                    self.report.settled.append(listing.key)
            except UndecodableError:
                raise
            except ReadError as error:
                gone = listing.parent in self._unseen and error.status in _GONE_STATUSES
                ignored = isinstance(error, IgnoredAnswerError | UnaddressableError)
                ignored = ignored or error.status in self._endpoint.error_handler.ignore_status_codes
                if not gone and not ignored:
                    raise (error.at(str(listing)) if str(listing) else error) from error.__cause__
                self._pass_over(listing, error.problem, gone)

    def _pass_over(self, listing: Listing, problem: str, gone: bool) -> None:
        self.report.skipped.append(f"{str(listing) or 'the list'}: {problem}")
        self.report.gone_parents += gone
        self.report.passed_over.append(self._progress_key(listing))
        if listing.dates:
            self.report.missed.setdefault(listing.key, []).append(listing.dates)

    def _progress_key(self, listing: Listing) -> str:
        """Return what the starting point of a list goes by: its parent where it has one, else its fixed values."""
        return listing.key if self.task.resource.parent is None else str(listing.parent)

    async def _list(self, listing: Listing, listings: deque[Listing]) -> None:
        since = self.task.start_of(self._progress_key(listing))
        kept = KeptList(self._journal, listing, since, self._endpoint.paginator)
        resumed = kept.outcome is not None
        try:
            outcome = await ListReader(self, listing, listings, kept).read()
        except ReadError:
            kept.failed()
            raise
        self.report.lists_resumed += resumed and not outcome.split
        self.report.pages_resumed += outcome.pages if resumed else kept.used
        self._finish(outcome)

    async def vanished(self) -> int:
        """Return how many known records the only list of the resource has not brought."""
        if self.task.known is None:
            return 0
        await self._batches.finish()
        return await self._decoding.run(self._staged.missing, self.task.known)

    @property
    def concurrency(self) -> int:
        """Greatest number of requests in flight."""
        return self._connection.concurrency

    @property
    def found(self) -> str:
        """Where the records were found, if that is not declared, as a clause."""
        return self._pages.found

    def request(self, listing: Listing) -> Request:
        """Return the request of a list, without paging parameters."""
        since = self.task.start_of(self._progress_key(listing))
        return list_request(self._connection, self.task.resource, listing.values, listing.dates, since)

    def fetcher(self, listing: Listing) -> FetchPage:
        """Return the function that reads a page of a list."""
        dates = listing.dates
        bounds = {"window_start": dates.start.isoformat(), "window_end": dates.end.isoformat()} if dates else {}
        return self._pages.fetcher({**self._connection.params, **listing.values, **bounds})

    async def take(self, records: Records, keep: RowFilter, pages: int) -> None:
        """Hand the records of a page on to be decoded.

        Args:
            records: The records.
            keep: Which of them belong to the list.
            pages: Pages of the list so far.
        """
        self._rows += 0 if keep.again else records.count
        self._watch(self.task.resource.name, self.report.pages + pages, self._rows)
        await self._batches.add(records, keep)

    def _finish(self, outcome: ListOutcome) -> None:
        report = self.report
        report.pages += outcome.pages
        report.repeats += outcome.repeats
        if outcome.split:
            return
        report.lists += 1
        self._ended_by, self.memory.filled = outcome.ended_by, outcome.filled
        report.moved, report.unproven = report.moved or outcome.moved, report.unproven or outcome.unproven
        report.found += [text for text in outcome.found if text not in report.found]
        report.assumed = report.assumed or outcome.assumed
        report.doubts += outcome.doubts[: _DOUBTS - len(report.doubts)]
        if outcome.reported_total is not None:
            report.reported_total = (report.reported_total or 0) + outcome.reported_total


async def gather_or_cancel(work: Iterable[Awaitable[None]]) -> None:
    """Run side by side; the first failure cancels the others and is raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
