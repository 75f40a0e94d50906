"""The first page of a list and nothing more: what ``doctor`` and ``preview`` ask for.

It goes the way every read goes: same requests, credentials, rate limit and decoding. Only a 429 is tried again, since
somebody is waiting for the answer.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import duckdb
import pyarrow as pa
from typing_extensions import assert_never

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.paginator import (
    Auto,
    CursorPage,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    Paginator,
    SinglePage,
)
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract import progress
from crm_assets.extract.decode.decoder import Decoder
from crm_assets.extract.errors import ReadError, UnexpectedResponseError
from crm_assets.extract.http.client import Traffic
from crm_assets.extract.http.request import Request, list_request
from crm_assets.extract.page_reader import OpenConnection, PageReader, open_connection
from crm_assets.extract.paging.page import Page, with_page_size
from crm_assets.extract.paging.signs import as_int, doubts_of
from crm_assets.extract.shared_state import SharedState

PAGE_TIMEOUT = 30.0
"""Seconds to wait for a page, turns of the rate limit included."""
_PAGE_TRIES = 3
"""How often a page is asked for again when the server says that it is asked too often."""
Placeholders = dict[str, object]
SampleRow = dict[str, Any]


@dataclass(frozen=True)
class FirstPage:
    """What the first page of a list showed."""

    rows: tuple[SampleRow, ...]
    """Columns in the declared types, then ``_extra`` and ``_misfits``."""
    rejected: tuple[str, ...]
    """Why records could not become rows."""
    total: int | None
    """Number of records of the whole list, where the API reports it."""
    pages: int | None
    """Number of pages of this size the whole list has, where the API reports it or the number of records."""
    seconds: float
    doubts: tuple[str, ...] = ()
    """What speaks against the declaration, as clauses."""
    problems: tuple[str, ...] = ()
    """What a sync would fail at, as clauses."""
    absent: tuple[str, ...] = ()
    """Declared columns whose source none of the records contains."""

    def fields(self, kept: str) -> tuple[str, ...]:
        """Return the names found in ``_extra`` or ``_misfits``."""
        return tuple(dict.fromkeys(name for row in self.rows if row[kept] for name in json.loads(row[kept])))


class FirstPageReader:
    """Asks one connection for first pages.

    Args:
        connection: The account.
        opened: Its client, credentials and decoder.
        records: Records to ask for, where the API lets a client choose.
        patience: Seconds to wait for a page.
    """

    def __init__(self, connection: Connection, opened: OpenConnection, records: int, patience: float) -> None:
        self._connection = connection
        self._opened = opened
        self._records = records
        self._patience = patience
        self._whole: dict[str, asyncio.Task[FirstPage]] = {}

    async def whole(self, resource: Resource) -> FirstPage:
        """Return the first page of a resource's (first) list without any filter; it is asked for once.

        Raises:
            ReadError: It could not be read, or there is no parent to read it for.
        """
        if resource.name not in self._whole:
            self._whole[resource.name] = asyncio.ensure_future(self._first(resource))
        return await asyncio.shield(self._whole[resource.name])

    async def lists(self, resource: Resource) -> list[Placeholders]:
        """Return what fills the placeholders of a resource's first lists: of one, or of one per parent seen.

        Raises:
            ReadError: The parent could not be read.
        """
        fixed = {name: values[0] for name, values in resource.for_each.items()}
        if resource.parent is None:
            return [{**fixed}]
        sample = await self.whole(self._connection.system.resource(resource.parent.resource))
        rows = [{name: row[field] for name, field in resource.parent.values.items()} for row in sample.rows]
        return [{**row, **fixed} for row in rows if row[resource.parent.placeholder] is not None]

    async def ask(self, resource: Resource, values: Placeholders, dates: DateRange | None = None) -> FirstPage:
        """Return the first page of a list.

        Args:
            resource: The declaration.
            values: What fills the placeholders.
            dates: The window to ask for.

        Raises:
            ReadError: It could not be read; the message says what the server said.
        """
        started = time.perf_counter()
        decoder = Decoder(resource, self._opened.database)
        try:
            page = await self._page(
                resource, decoder, {**self._connection.params, **values, **window_bounds(dates)}, dates
            )
            shown = self._shown(resource, decoder, [page])
        except ReadError as error:
            raise error.worded(self._opened.credentials.redact(error.problem)) from error.__cause__
        return replace(shown, seconds=round(time.perf_counter() - started, 3), doubts=_doubts(resource, page))

    def _shown(self, resource: Resource, decoder: Decoder, pages: list[Page]) -> FirstPage:
        try:
            rows, rejected = decoder.decode([page.records for page in pages])
        except (duckdb.Error, pa.ArrowException) as error:
            problem = f"its records cannot be decoded ({str(error).splitlines()[0]})"
            raise UnexpectedResponseError(problem, status=200) from error
        reasons, absent = tuple(rejected["reason"].to_pylist()), tuple(decoder.absent.columns)
        total, count = _length(resource.endpoint.paginator, pages[0])
        return FirstPage(tuple(rows.to_pylist()), reasons, total, count, 0.0, absent=absent)

    async def _first(self, resource: Resource) -> FirstPage:
        lists = await self.lists(resource)
        if not lists:
            raise ReadError(f"there is no row of {resource.parent.resource if resource.parent else ''} to read it for")
        return await self.ask(resource, lists[0])

    async def _page(self, resource: Resource, decoder: Decoder, values: Placeholders, dates: DateRange | None) -> Page:
        reader = PageReader(self._opened.client, resource.endpoint, decoder.inspect, Traffic(), retries=False)
        placeholders = {name: value for name, value in values.items() if name not in window_bounds(dates)}
        request = list_request(self._connection, resource, placeholders, dates)
        request = first_page(resource.endpoint.paginator, request, self._records)
        return await self._in_time(reader, request, values)

    async def _in_time(self, reader: PageReader, request: Request, values: Placeholders) -> Page:
        try:
            return await asyncio.wait_for(self._answered(reader, request, values), self._patience)
        except asyncio.TimeoutError:
            raise ReadError(
                f"no answer came within {self._patience:g} s: the server is slow, or the rate budget is used up"
            ) from None

    async def _answered(self, reader: PageReader, request: Request, values: Placeholders, tries: int = 1) -> Page:
        """Ask, and ask again where that helps.

        A server may close an idle connection just when it is used again; a second try shows whether it is reachable.
        After a 429 the rate limiter waits for as long as the server wants.
        """
        try:
            return await reader.page(request, values)
        except ReadError as error:
            again = 1 if error.status is None else _PAGE_TRIES if error.status == HTTPStatus.TOO_MANY_REQUESTS else 0
            if tries > again:
                raise
        return await self._answered(reader, request, values, tries + 1)


@asynccontextmanager
async def probing(
    connection: Connection, secrets: Mapping[str, str], state: SharedState, records: int, patience: float = PAGE_TIMEOUT
) -> AsyncIterator[FirstPageReader]:
    """Give a probe of a connection.

    Args:
        connection: The account.
        secrets: Secret name to value.
        state: Has the account's rate and tokens.
        records: Records to ask for, where the API lets a client choose.
        patience: Seconds to wait for a page.
    """
    budget = state.rate_limiter(connection, progress.notices(connection.name))
    async with open_connection(connection, secrets, budget, state.token_stores(connection)) as opened:
        yield FirstPageReader(connection, opened, records, patience)


def first_page(paginator: Paginator, request: Request, records: int) -> Request:
    """Return the request of a list's first page, of no more than ``records`` where its size is declared."""
    match paginator:
        case SinglePage() | Auto():
            return request
        case PageNumber() | Offset():
            request = request.given(paginator.location, paginator.counter, paginator.first)
        case JsonLink() | HeaderLink() | CursorPage() | HeaderCursor():
            pass
        case _:
            assert_never(paginator)
    limit = min(paginator.limit, records) if paginator.limit else None
    return with_page_size(paginator.location, paginator.limit_param, limit, request)


def _length(paginator: Paginator, page: Page) -> tuple[int | None, int | None]:
    """Return the number of records and of pages of a list as its first page reports them."""
    total = as_int(page.envelope.fact(getattr(paginator, "total_records_path", None)))
    if isinstance(paginator, SinglePage):
        return total, 1
    pages = as_int(page.envelope.fact(getattr(paginator, "total_pages_path", None)))
    if pages is None and total is not None:
        pages = math.ceil(total / max(page.count, 1))
    return total, pages if pages is None else max(pages, 1)


def _doubts(resource: Resource, page: Page) -> tuple[str, ...]:
    if not isinstance(resource.endpoint.paginator, SinglePage):
        return ()
    return tuple(doubts_of(page.envelope.beside, page.headers, page.count, 1))


def last_days(connection: Connection, days: int) -> DateRange:
    """Return the last days up to today, in the connection's zone."""
    tomorrow = datetime.now(connection.zone).date() + timedelta(days=1)
    return DateRange(tomorrow - timedelta(days=days), tomorrow)


def parents_of(resources: Iterable[Resource]) -> frozenset[str]:
    """Return the names of the resources other lists are read for."""
    return frozenset(resource.parent.resource for resource in resources if resource.parent)


def window_bounds(dates: DateRange | None) -> Placeholders:
    """Return what fills the placeholders of a window."""
    return {"window_start": dates.start.isoformat(), "window_end": dates.end.isoformat()} if dates else {}
