"""Is anything newer than what was loaded? One small question per cursor, asked the way every read goes.

The question is the cursor's own filter, from the greatest loaded value on. A list is walked only until a newer record
shows, and never far: records that are as old as the cursor may fill a page, a page of one record would not see past
them. Nothing is tried again, since the next tick asks anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timezone

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.incremental import names_days
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.decoder import Decoder
from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.client import Traffic
from crm_assets.extract.http.filter_values import zone_of
from crm_assets.extract.http.request import list_request
from crm_assets.extract.page_reader import OpenConnection, PageReader, open_connection
from crm_assets.extract.paging.page import PagingState
from crm_assets.extract.paging.paginate import walk
from crm_assets.extract.shared_state import SharedState
from crm_assets.warehouse.increments import moment_of

QUERY_TIMEOUT = 40.0
"""Seconds for all questions of a connection; Dagster gives a sensor sixty."""
_PAGES_ASKED = 5


@dataclass(frozen=True)
class ChangeAnswer:
    """The newest change of one resource, or the problem with asking for it."""

    newest: datetime | None = None
    """A value newer than the cursor, if there is one."""
    problem: str = ""
    """Why it could not be found out, as a clause."""


def ask(
    connection: Connection, loaded: Mapping[str, datetime], secrets: Mapping[str, str], state: SharedState
) -> dict[str, ChangeAnswer]:
    """Ask for newer records; a resource that cannot be asked has a problem of its own.

    Args:
        connection: The account.
        loaded: Greatest loaded value by resource.
        secrets: Secret name to value.
        state: Has the account's rate and tokens.

    Returns:
        What was found, by resource.
    """
    return asyncio.run(_ask_all(connection, loaded, secrets, state))


async def _ask_all(
    connection: Connection, loaded: Mapping[str, datetime], secrets: Mapping[str, str], state: SharedState
) -> dict[str, ChangeAnswer]:
    budget, stores = state.rate_limiter(connection), state.token_stores(connection)
    async with open_connection(connection, secrets, budget, stores) as opened:

        async def one(name: str, greatest: datetime) -> ChangeAnswer:
            question = _Question(connection, connection.system.resource(name), opened)
            try:
                return ChangeAnswer(await asyncio.wait_for(question.newer_than(greatest), QUERY_TIMEOUT))
            except asyncio.TimeoutError:
                return ChangeAnswer(
                    problem=f"{name}: no answer within {QUERY_TIMEOUT:g} s, or the rate budget is used up"
                )
            except ReadError as error:
                return ChangeAnswer(problem=opened.credentials.redact(f"{name}: {error.problem}"))

        return dict(zip(loaded, await asyncio.gather(*(one(*item) for item in loaded.items())), strict=True))


class _Question:
    """Asks one list."""

    def __init__(self, connection: Connection, resource: Resource, opened: OpenConnection) -> None:
        self._connection = connection
        self._resource = resource
        self._decoder = Decoder(resource, opened.database)
        self._pages = PageReader(opened.client, resource.endpoint, self._decoder.inspect, Traffic(), retries=False)

    async def newer_than(self, greatest: datetime) -> datetime | None:
        """Return a value newer than the greatest loaded one, or ``None``.

        Raises:
            ReadError: The list cannot be read, or is long and shows nothing new at first.
        """
        cursor, walked = self._resource.incremental, PagingState()
        # A filter by days leaves out or repeats the day itself; its lookback is what makes up for that.
        since = greatest - cursor.lookback if cursor and names_days(cursor.format) else greatest
        request = list_request(self._connection, self._resource, {}, since=since)
        pages = walk(self._resource.endpoint.paginator, request, self._pages.fetcher({}), walked, ahead=1)
        async with aclosing(pages):
            async for page in pages:
                if walked.pages > _PAGES_ASKED:
                    raise ReadError(
                        f"{_PAGES_ASKED} pages show nothing newer, and more follow; the schedule will read them"
                    )
                newest = self._newest(page.records)
                if newest and newest > greatest:
                    return newest
        return None

    def _newest(self, records: Records) -> datetime | None:
        cursor = self._resource.incremental
        try:
            rows, _ = self._decoder.decode([records])
        except (duckdb.Error, pa.ArrowException) as error:
            raise ReadError(f"its records cannot be decoded ({str(error).splitlines()[0]})") from error
        if cursor is None:
            return None
        zone, now = zone_of(self._connection, self._resource, cursor.field), datetime.now(timezone.utc)
        moments = [moment_of(value, zone) for value in pc.unique(rows[cursor.field]).drop_null().to_pylist()]
        # A time in the future is not news: once reported, it would hide everything that changes until then.
        return max((moment.astimezone(timezone.utc) for moment in moments if moment <= now), default=None)
