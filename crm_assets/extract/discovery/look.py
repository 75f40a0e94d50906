"""A look at one list: what its declaration leaves open, found by asking."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pydantic import TypeAdapter

from crm_assets.declarations.json_path import WILDCARD, Segments, path_text
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.paginator import Auto, Paginator, PaginatorField
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.decoder import Decoder
from crm_assets.extract.discovery.asker import Asker, DecodedAnswer
from crm_assets.extract.discovery.columns import SampleColumn, columns_of
from crm_assets.extract.discovery.keys import changed_at, key_of
from crm_assets.extract.discovery.paging import PagingSearch
from crm_assets.extract.discovery.places import selector_of
from crm_assets.extract.discovery.rates import rate_of
from crm_assets.extract.discovery.since import since_filter
from crm_assets.extract.errors import ReadError
from crm_assets.extract.first_page import FirstPageReader, Placeholders, first_page, last_days
from crm_assets.extract.http.request import Request, list_request
from crm_assets.extract.page_reader import OpenConnection, PageReader
from crm_assets.extract.paging.page import Page, PagingState
from crm_assets.extract.paging.paginate import walk

RECORDS = 500
_PAGES_READ = 10
_WINDOW_DAYS = 30
_PAGINATOR: TypeAdapter[Paginator] = TypeAdapter(PaginatorField)


@dataclass
class Look:
    """What was found of one list."""

    resource: str
    found: dict[str, Any] = field(default_factory=dict)
    """Keys of its declaration that were open."""
    remarks: list[str] = field(default_factory=list)
    """What was assumed, and what could not be found out."""
    records: int = 0
    pages: int = 0
    rate_limit: dict[str, object] | None = None

    @property
    def shows_more(self) -> bool:
        """Whether the list shows more than its declaration says."""
        return any(self.found.values())

    @property
    def extent(self) -> str:
        """How much was looked at."""
        records, pages = ("" if count == 1 else "s" for count in (self.records, self.pages))
        return f"{self.records} record{records} on {self.pages} page{pages}"


@dataclass(frozen=True)
class Looker:
    """Looks at the lists of a connection.

    Args:
        connection: The account.
        opened: Its client, credentials and decoder.
        asker: Asks.
        parents: Reads the first rows of parents.
    """

    connection: Connection
    opened: OpenConnection
    asker: Asker
    parents: FirstPageReader

    async def look(self, resource: Resource) -> Look:
        """Return what was found of a list.

        Raises:
            ReadError: It could not be read; the message says what the server said.
        """
        lists = await self.parents.lists(resource)
        if not lists:
            raise ReadError("there is no row to read it for")
        dates = last_days(self.connection, _WINDOW_DAYS) if resource.window else None
        values = {**self.connection.params, **lists[0]}
        request, look = list_request(self.connection, resource, values, dates), Look(resource.name)
        opening = first_page(resource.endpoint.paginator, request, RECORDS)
        first = await self.asker.ask(opening)
        look.rate_limit, remark = rate_of(first.headers)
        look.remarks += [remark] if remark else []
        paged = await self._paged(resource, request, first, look)
        records = await self._sample(paged, request, values, look)
        look.records = len(records)
        await self._columns(paged, opening, first, records, look)
        return look

    async def _paged(self, resource: Resource, request: Request, first: DecodedAnswer, look: Look) -> Resource:
        endpoint, found = resource.endpoint, look.found.setdefault("endpoint", {})
        selector = endpoint.data_selector
        if selector is None:
            selector = selector_of(first.body)
            found["data_selector"] = path_text(selector)
        paginator = endpoint.paginator
        if isinstance(paginator, Auto) and WILDCARD not in selector:
            key = _key_path(resource.name, first.records(selector))
            search = await PagingSearch(self.asker, request, selector, first, key).find()
            paginator = _PAGINATOR.validate_python(search.paginator)
            found["paginator"] = search.paginator if len(search.paginator) > 1 else search.paginator["type"]
            look.remarks += [search.assumed] if search.assumed else []
        update = {"data_selector": selector, "paginator": paginator}
        return resource.model_copy(update={"endpoint": endpoint.model_copy(update=update)})

    async def _sample(
        self, resource: Resource, request: Request, values: Placeholders, look: Look
    ) -> list[dict[str, Any]]:
        decoder = Decoder(resource, self.opened.database)
        reader = PageReader(self.opened.client, resource.endpoint, decoder.inspect, self.asker.traffic)
        records, fetch = list[dict[str, Any]](), reader.fetcher(values)
        try:
            async with aclosing(walk(resource.endpoint.paginator, request, fetch, PagingState(), 1)) as pages:
                async for page in pages:
                    records += _records(page)
                    look.pages += 1
                    if len(records) >= RECORDS or look.pages >= _PAGES_READ:
                        break
        except ReadError as error:
            look.remarks.append(f"after {len(records)} records: {self.opened.credentials.redact(error.problem)}")
        return records[:RECORDS]

    async def _columns(
        self, resource: Resource, request: Request, first: DecodedAnswer, records: list[dict[str, Any]], look: Look
    ) -> None:
        known = {column.wire_path(name) for name, column in resource.columns.items() if not column.placeholder}
        fresh, empty = columns_of(records, known, resource.columns)
        declared = {column.name: column.declared for column in fresh}
        key = key_of(resource.name, fresh) if not resource.primary_key else None
        if key:
            declared[key.name] = {"type": key.declared["type"], "nullable": False, **key.declared}
            look.found["primary_key"] = key.name
        changed = changed_at(fresh)
        if changed and resource.mode == "full_refresh" and (key or resource.primary_key):
            selector = resource.endpoint.data_selector or ()
            page = first.records(selector) if WILDCARD not in selector else []
            incremental = await since_filter(self.asker, request, selector, changed, page)
            look.found |= {"incremental": incremental} if incremental else {}
        look.found |= {"columns": declared} if declared else {}
        look.remarks += _remarks(resource, look, fresh, empty, key, changed)


def _records(page: Page) -> list[dict[str, Any]]:
    return [record for record in msgspec.json.decode(page.envelope.records) if isinstance(record, dict)]


def _key_path(resource: str, records: list[Any]) -> Segments | None:
    columns, _ = columns_of([record for record in records if isinstance(record, dict)])
    key = key_of(resource, columns)
    return key.path if key else None


def _remarks(
    resource: Resource,
    look: Look,
    fresh: list[SampleColumn],
    empty: list[str],
    key: SampleColumn | None,
    changed: SampleColumn | None,
) -> list[str]:
    found = look.found
    always = [column.name for column in fresh if column.always and column is not key]
    local = [column.name for column in fresh if column.local]
    remarks = []
    if not look.records:
        remarks.append(
            "the list is empty, so its key and columns are not known yet: run discover again once it has rows"
        )
    elif key:
        proof = f"no two of {look.records} records share a value" if look.records > 1 else "by its name alone"
        remarks.append(f"{key.name} is taken for the key: {proof}")
    elif not resource.primary_key:
        remarks.append("no field is unique and named like an ID, so the table is replaced by each read")
    if changed and "incremental" not in found and resource.mode == "full_refresh":
        remarks.append(f"{changed.name} changes, but no usual parameter asks for changes; each read reads everything")
    if local:
        remarks.append(f"times without an offset: {', '.join(local)}; set timezone for the connection")
    if always and look.records > 1:
        remarks.append(f"never null in {look.records} records, which proves nothing of others: {', '.join(always)}")
    if empty:
        remarks.append(f"never had a value, and so are not declared but kept in _extra: {', '.join(empty)}")
    return remarks
