"""A list as a sync would meet it, as far as a few requests show: what ``doctor`` asks for.

Two pages of the declared size, the page that confirms an end, and one far behind the end where only an empty or a short
page ends the list.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.paginator import Offset, PageNumber, SinglePage
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract import progress
from crm_assets.extract.decode.decoder import Decoder
from crm_assets.extract.decode.local_times import local_times
from crm_assets.extract.errors import ReadError
from crm_assets.extract.first_page import PAGE_TIMEOUT, FirstPage, FirstPageReader, Placeholders, window_bounds
from crm_assets.extract.http.client import Traffic
from crm_assets.extract.http.rate_state import spread
from crm_assets.extract.http.request import Request, list_request
from crm_assets.extract.page_reader import PageReader, open_connection
from crm_assets.extract.paging.page import Page, PagingState, with_page_size
from crm_assets.extract.paging.paginate import walk
from crm_assets.extract.shared_state import SharedState

SendFn = Callable[[Request], Awaitable[Page]]
_PAGES_PROBED = 2
_REQUESTS = 4
"""Most requests for one list."""
_FAR = 100_000
"""Pages behind the first at which no list is expected to go on."""
_NO_SUCH_PAGE = (404, 416)
"""Statuses that a sync takes for the end of a list."""
_ROUND = frozenset({20, 25, 30, 50, 100, 200, 250, 500, 1000})
"""Numbers of records at which servers cut an answer."""
_ENOUGH = 10
"""Records from which on a column that none of them contains is worth a word."""


class _EnoughError(Exception):
    """As many pages were read as are looked at."""


class ListProber(FirstPageReader):
    """Asks one connection for the first pages of its lists."""

    async def ask(self, resource: Resource, values: Placeholders, dates: DateRange | None = None) -> FirstPage:
        """Return what the first pages of a list show.

        Args:
            resource: The declaration.
            values: What fills the placeholders.
            dates: The window to ask for.

        Raises:
            ReadError: Not even the first page could be read.
        """
        started, redact = time.perf_counter(), self._opened.credentials.redact
        decoder = Decoder(resource, self._opened.database)
        reader = PageReader(self._opened.client, resource.endpoint, decoder.inspect, Traffic(), retries=False)
        bound = {**self._connection.params, **values, **window_bounds(dates)}
        request = list_request(self._connection, resource, {**self._connection.params, **values}, dates)
        probe = _Probe(resource, request, lambda request: self._in_time(reader, request, bound))
        try:
            await probe.read()
            shown = self._shown(resource, decoder, probe.pages)
        except ReadError as error:
            raise error.worded(redact(error.problem)) from error.__cause__
        problems = [*probe.problems, *_unfit(resource, shown, probe.pages[0].records.count)]
        doubts = [*probe.doubts, *_absent_columns_problem(decoder, shown), *self._zoneless(resource, probe.pages)]
        return replace(
            shown,
            seconds=round(time.perf_counter() - started, 3),
            problems=tuple(map(redact, problems)),
            doubts=tuple(map(redact, doubts)),
        )

    def _zoneless(self, resource: Resource, pages: list[Page]) -> Iterator[str]:
        if "timezone" in self._connection.model_fields_set:
            return
        found = local_times(resource, (page.records for page in pages))
        if found:
            yield (
                f"times without an offset are read as {self._connection.timezone}: {', '.join(found)} "
                f"(such as {next(iter(found.values()))}); set timezone: for the connection"
            )


def _unfit(resource: Resource, shown: FirstPage, first: int) -> Iterator[str]:
    """Yield what of the values is not as declared; a key may come again on a later page, which overlaps or moved."""
    if misfits := shown.fields("_misfits"):
        yield f"values of another type than declared: {', '.join(misfits)}"
    keys = Counter(tuple(row[name] for name in resource.primary_key) for row in shown.rows[:first])
    if shared := sum(times - 1 for times in keys.values()):
        name = ", ".join(resource.primary_key)
        yield f"{shared} of {first} records have the key of another one, so {name} is not the primary_key"


def _absent_columns_problem(decoder: Decoder, shown: FirstPage) -> Iterator[str]:
    if decoder.absent.columns and len(shown.rows) >= _ENOUGH:
        yield f"declared, but in none of {len(shown.rows)} records: {', '.join(decoder.absent.columns)} (check source)"


class _Probe:
    """Reads the first pages of one list, and what is behind its end."""

    def __init__(self, resource: Resource, request: Request, send: SendFn) -> None:
        self.pages: list[Page] = []
        self.problems: list[str] = []
        self.doubts: list[str] = []
        self._paginator = resource.endpoint.paginator
        self._request = request
        self._send = send
        self._state = PagingState()

    async def read(self) -> None:
        """Read as many pages as show how the list is paged.

        Raises:
            ReadError: Not even the first page could be read.
        """
        try:
            async with aclosing(walk(self._paginator, self._request, self._fetch, self._state, 1)) as pages:
                async for _ in pages:
                    pass
        except _EnoughError:
            await self._look_behind_the_end()
        except ReadError as error:
            if not self.pages:
                raise
            self.problems.append(error.problem)
        else:
            self.doubts += [*self._state.doubts, *filter(None, [self._state.assumed]), *self._cut()]

    async def _fetch(self, request: Request, name: str) -> Page:
        if len(self.pages) >= _PAGES_PROBED and (not self._may_have_ended or len(self.pages) >= _REQUESTS):
            raise _EnoughError
        try:
            self.pages.append(await self._send(request))
        except ReadError as error:
            if not self.pages:
                raise
            raise error.at(name) from error.__cause__
        return self.pages[-1]

    @property
    def _may_have_ended(self) -> bool:
        counts = [page.count for page in self.pages]
        return counts[-1] < max(counts)

    def _cut(self) -> Iterator[str]:
        """Yield a doubt about a round number of records in a single answer, of which nothing says that it is whole."""
        count = self.pages[0].count
        unpaged = isinstance(self._paginator, SinglePage) and self._state.reported_total is None
        if unpaged and count in _ROUND and not self._state.doubts:
            yield f"exactly {count} records came in one answer; if the list is longer, declare a paginator"

    async def _look_behind_the_end(self) -> None:
        paginator = self._paginator
        if not isinstance(paginator, (PageNumber, Offset)) or paginator.end not in ("empty_page", "short_page"):
            return
        at = paginator.first + _FAR * ((paginator.limit or 1) if isinstance(paginator, Offset) else 1)
        request = with_page_size(paginator.location, paginator.limit_param, paginator.limit, self._request)
        try:
            page = await self._send(request.given(paginator.location, paginator.counter, at))
        except ReadError as error:
            if error.status not in _NO_SUCH_PAGE:
                self.doubts.append(
                    f"page {at} was refused ({error.problem}); if the page behind the last one is, too, no sync can "
                    f"end: declare an end that the answers report, such as total_records or has_more"
                )
            return
        if page.count and page.records.fingerprint == self.pages[0].records.fingerprint:
            self.problems.append(f"page {at} has the records of the first page: the server ignores {paginator.counter}")


@asynccontextmanager
async def probing_lists(
    connection: Connection, secrets: Mapping[str, str], state: SharedState, patience: float = PAGE_TIMEOUT
) -> AsyncIterator[ListProber]:
    """Give what looks at the lists of a connection.

    Args:
        connection: The account.
        secrets: Secret name to value.
        state: Has the account's rate and tokens.
        patience: Seconds to wait for a page, beside the turns of the vendor's rate limit.
    """
    turns = len(connection.system.resources) * _REQUESTS * spread(connection.budget) if connection.budget else 0.0
    budget = state.rate_limiter(connection, progress.notices(connection.name))
    async with open_connection(connection, secrets, budget, state.token_stores(connection)) as opened:
        yield ListProber(connection, opened, 1, patience + turns)
