"""The first page of a list and nothing more: what ``doctor`` and ``preview`` ask for.

It goes the way every read goes: same requests, credentials, rate limit and decoding. Only a 429 is tried again, since
somebody is waiting for the answer.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from crm_assets.date_range import DateRange
from crm_assets.declarations.connections import Connection
from crm_assets.declarations.models.endpoint import ErrorHandler
from crm_assets.declarations.models.paginator import Auto, Offset, PageNumber, Paginator, SinglePage
from crm_assets.declarations.models.system import Resource
from crm_assets.extract import progress
from crm_assets.extract.decode.decoder import Decoder
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.client import Answer, ApiClient, Traffic
from crm_assets.extract.http.credentials import Credentials
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.http.request import Request, list_request
from crm_assets.extract.paging.response_body import ResponseBody, open_body, unreadable, with_selector

PATIENCE = 30.0
"""Seconds to wait for a page, turns of the rate limit included."""
_TRIES = 3
"""How often a page is asked for again when the server says that it is asked too often."""
Values = dict[str, object]
Row = dict[str, Any]


@dataclass(frozen=True)
class FirstPage:
    """What the first page of a list showed."""

    rows: tuple[Row, ...]
    """Columns in the declared types, then ``_extra`` and ``_misfits``."""
    rejected: tuple[str, ...]
    """Why records could not become rows."""
    total: int | None
    """Number of records of the whole list, where the API tells it."""
    seconds: float

    def fields(self, kept: str) -> tuple[str, ...]:
        """Return the names found in ``_extra`` or ``_misfits``."""
        return tuple(dict.fromkeys(name for row in self.rows if row[kept] for name in json.loads(row[kept])))


class UnexpectedResponseError(ReadError):
    """The server answered 200, but not with the list that is declared."""


class FirstPageReader:
    """Asks one connection for first pages.

    Args:
        connection: The account.
        credentials: Also keep secrets out of what is said.
        session: Sends the requests.
        database: Decodes; used by this thread alone.
        records: Records to ask for, where the API lets a client choose.
        patience: Seconds to wait for a page.
    """

    def __init__(
        self,
        connection: Connection,
        credentials: Credentials,
        session: ApiClient,
        database: duckdb.DuckDBPyConnection,
        records: int,
        patience: float,
    ) -> None:
        self._connection = connection
        self._credentials = credentials
        self._session = session
        self._database = database
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

    async def lists(self, resource: Resource) -> list[Values]:
        """Return what fills the placeholders of a resource's first lists: of one, or of one per parent seen.

        Raises:
            ReadError: The parent could not be read.
        """
        if resource.parent is None:
            return [{}]
        sample = await self.whole(self._connection.system.resource(resource.parent.resource))
        keys = dict.fromkeys(row[resource.parent.field] for row in sample.rows)
        return [{resource.parent.placeholder: key} for key in keys if key is not None]

    async def ask(self, resource: Resource, values: Values, span: DateRange | None = None) -> FirstPage:
        """Return the first page of a list.

        Args:
            resource: The declaration.
            values: What fills the placeholders.
            span: The window to ask for.

        Raises:
            ReadError: It could not be read; the message says what the server said.
        """
        started = time.perf_counter()
        try:
            envelope = await self._envelope(resource, values, span)
            rows, rejected = self._decoded(resource, envelope, {**self._connection.params, **values, **_window(span)})
        except ReadError as error:
            raise type(error)(self._credentials.redact(error.problem), status=error.status) from error.__cause__
        total = envelope.fact(getattr(resource.endpoint.paginator, "total_records_path", None))
        seconds = round(time.perf_counter() - started, 3)
        return FirstPage(rows, rejected, total if isinstance(total, int) else None, seconds)

    async def _first(self, resource: Resource) -> FirstPage:
        lists = await self.lists(resource)
        if not lists:
            raise ReadError(f"there is no row of {resource.parent.resource if resource.parent else ''} to read it for")
        return await self.ask(resource, lists[0])

    async def _envelope(self, resource: Resource, values: Values, span: DateRange | None) -> ResponseBody:
        endpoint = resource.endpoint
        once = endpoint.error_handler.model_copy(update={"max_retries": 0})
        request = first_page(endpoint.paginator, list_request(self._connection, resource, values, span), self._records)
        try:
            answer = await asyncio.wait_for(self._answer(request, once), self._patience)
        except asyncio.TimeoutError:
            raise ReadError(
                f"no answer came within {self._patience:g} s: the server is slow, or the rate budget is used up"
            ) from None
        try:
            return open_body(answer.body, answer.content_type, with_selector(endpoint, answer.body)[0])
        except ReadError as error:
            raise UnexpectedResponseError(error.problem, status=200) from error

    async def _answer(self, request: Request, handler: ErrorHandler) -> Answer:
        """Ask, and ask again where that helps.

        A server may close an idle connection in the moment it is used again; a second try tells that from no server.
        After a 429 the rate limiter waits for as long as the server wants.
        """
        answer = await self._asked(request, handler)
        for _ in range(_TRIES):
            if isinstance(answer, Answer) or answer.status not in (None, HTTPStatus.TOO_MANY_REQUESTS):
                break
            broken = answer.status is None
            answer = await self._asked(request, handler)
            if broken:
                break
        if isinstance(answer, Answer):
            return answer
        raise answer

    async def _asked(self, request: Request, handler: ErrorHandler) -> Answer | ReadError:
        try:
            return await self._session.send(request, handler, Traffic())
        except ReadError as error:
            return error

    def _decoded(
        self, resource: Resource, envelope: ResponseBody, values: Mapping[str, object]
    ) -> tuple[tuple[Row, ...], tuple[str, ...]]:
        decoder = Decoder(resource, self._database)
        try:
            rows, rejected = decoder.decode([decoder.inspect(envelope.records, envelope.companions, values)])
        except (msgspec.DecodeError, RecursionError) as error:
            raise UnexpectedResponseError(unreadable(error).problem, status=200) from error
        except (duckdb.Error, pa.ArrowException) as error:
            raise UnexpectedResponseError(
                f"its records cannot be decoded ({str(error).splitlines()[0]})", status=200
            ) from error
        return tuple(rows.to_pylist()), tuple(rejected["reason"].to_pylist())


@asynccontextmanager
async def probing(
    connection: Connection, secrets: Mapping[str, str], folder: Path, records: int, patience: float = PATIENCE
) -> AsyncIterator[FirstPageReader]:
    """Give a probe of a connection.

    Args:
        connection: The account.
        secrets: Secret name to value.
        folder: The data folder, which holds the rate budgets.
        records: Records to ask for, where the API lets a client choose.
        patience: Seconds to wait for a page.
    """
    credentials = Credentials(connection.system.client.auth, secrets, connection.base_url)
    say = progress.notices(connection.name)
    budget = RateLimiter(folder / "budgets" / connection.name, connection.budget, say=say)
    with duckdb.connect(config={"threads": 1}) as database:
        database.execute("SET timezone = 'UTC'")
        async with ApiClient(credentials, budget, connection.concurrency, connection.system.client.headers) as session:
            yield FirstPageReader(connection, credentials, session, database, records, patience)


def first_page(paginator: Paginator, request: Request, records: int) -> Request:
    """Return the request of a list's first page, of no more than ``records`` where its size is declared."""
    if isinstance(paginator, (SinglePage, Auto)):
        return request
    if isinstance(paginator, PageNumber):
        request = request.given(paginator.location, paginator.page_param, paginator.start_from_page)
    if isinstance(paginator, Offset):
        request = request.given(paginator.location, paginator.offset_param, paginator.start_offset)
    if paginator.limit_param and paginator.limit:
        request = request.given(paginator.location, paginator.limit_param, min(paginator.limit, records))
    return request


def last_days(connection: Connection, days: int) -> DateRange:
    """Return the last days up to today, in the connection's zone."""
    tomorrow = datetime.now(connection.zone).date() + timedelta(days=1)
    return DateRange(tomorrow - timedelta(days=days), tomorrow)


def parents_of(resources: Iterable[Resource]) -> frozenset[str]:
    """Return the names of the resources other lists are read for."""
    return frozenset(resource.parent.resource for resource in resources if resource.parent)


def _window(span: DateRange | None) -> Values:
    return {"window_start": span.start.isoformat(), "window_end": span.end.isoformat()} if span else {}
