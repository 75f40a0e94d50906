"""The one way from a request to a page: send, open, inspect, and say in words what went wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import duckdb
import msgspec

from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.endpoint import Endpoint, ErrorHandler
from crm_assets.declarations.models.export_job import ExportJob
from crm_assets.extract.decode.duckdb_engine import duckdb_engine
from crm_assets.extract.decode.macros import cursor_with_macros
from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.client import ApiClient, Traffic
from crm_assets.extract.http.credentials import Credentials
from crm_assets.extract.http.export_job import Exporter
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.http.request import Request
from crm_assets.extract.http.tokens import TokenStores
from crm_assets.extract.paging.body_formats import with_json_body
from crm_assets.extract.paging.page import FetchPage, Page
from crm_assets.extract.paging.response_body import open_body, unreadable, with_selector

Inspect = Callable[[bytes, bytes | None, Mapping[str, object]], Records]
"""Takes a page's records, its companion records, and the values its request was made with."""


@dataclass
class PageReader:
    """Reads the pages of one resource.

    Args:
        client: Sends the requests.
        endpoint: Where the list is and what its answers look like; a place of the records that is not declared is
            filled in once it was found.
        inspect: Checks the records of a page.
        traffic: Counts what the requests cost.
        retries: Whether what fails is tried again as often as declared, or not at all.
    """

    client: ApiClient
    endpoint: Endpoint
    inspect: Inspect
    traffic: Traffic
    retries: bool = True
    found: str = ""
    """Where the records were found, if that is not declared, as a clause."""

    def fetcher(self, values: Mapping[str, object]) -> FetchPage:
        """Return the function that reads a page of the list whose requests are made with these values."""

        async def fetch(request: Request, name: str) -> Page:
            return await self.page(request, values, name)

        return fetch

    async def page(self, request: Request, values: Mapping[str, object], name: str = "") -> Page:
        """Return one page.

        Args:
            request: Its request.
            values: What the request was made with, for columns that are filled from it.
            name: The page's name in errors.

        Raises:
            ReadError: No page came.
            UnexpectedResponseError: The answer is not a page of the declared list.
        """
        try:
            job, further = self.endpoint.export_job, list[Request]()
            if job and not request.file:
                request, *further = await self._exporter(job).files(request)
            answer = with_json_body(await self.client.send(request, self._handler, self.traffic), self.endpoint.decoder)
            body = open_body(answer, self._selecting(answer.body))
            # An exported file may be there only once: it is not asked for again.
            again = None if job else request
            records = self.inspect(body.records, body.companions, values)
            return Page(body, records, answer.headers, again, further=tuple(further))
        except ReadError as error:
            raise (error.at(name) if name else error) from error.__cause__
        except (msgspec.DecodeError, RecursionError) as error:
            raise (unreadable(error).at(name) if name else unreadable(error)) from error

    def _selecting(self, body: bytes) -> Endpoint:
        endpoint, settled = with_selector(self.endpoint, body)
        if settled and self.endpoint.data_selector is None:
            self.endpoint = endpoint
            self.found = f"records at {path_text(endpoint.data_selector or ())!r}"
        return endpoint

    def _exporter(self, job: ExportJob) -> Exporter:
        return Exporter(job, self.client.base_url, self.client, self._handler, self.traffic)

    @property
    def _handler(self) -> ErrorHandler:
        handler = self.endpoint.error_handler
        return handler if self.retries else handler.model_copy(update={"max_retries": 0})


@dataclass(frozen=True)
class OpenConnection:
    """What reading an account takes, open."""

    credentials: Credentials
    client: ApiClient
    database: duckdb.DuckDBPyConnection
    """Decodes; used by one thread at a time."""


@asynccontextmanager
async def open_connection(
    connection: Connection, secrets: Mapping[str, str], budget: RateLimiter, stores: TokenStores | None = None
) -> AsyncIterator[OpenConnection]:
    """Give what reading an account takes: credentials, a client under the account's rate budget, and a decoder.

    Args:
        connection: The account.
        secrets: Secret name to value.
        budget: The account's rate budget.
        stores: Keep the tokens of logins between runs; by default they are forgotten.
    """
    headers = connection.system.client.headers
    credentials = Credentials(connection.system.client.auth, secrets, connection.base_url)
    with duckdb_engine("decoding", threads=1) as engine, cursor_with_macros(engine) as database:
        database.execute("SET timezone = 'UTC'")
        async with ApiClient(credentials, budget, connection.concurrency, headers, stores) as client:
            yield OpenConnection(credentials, client, database)
