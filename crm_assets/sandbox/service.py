"""The sandbox: local APIs for all configured connections, made from their declarations and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

import duckdb
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crm_assets.declarations import Connection, Resource
from crm_assets.sandbox.credentials import check_credentials
from crm_assets.sandbox.errors import RefusedError
from crm_assets.sandbox.filters import UNBOUNDED, Bounds, requested_bounds
from crm_assets.sandbox.http_io import json_body, json_response, path_segments, query_of
from crm_assets.sandbox.logins import answer_login, login_at
from crm_assets.sandbox.paging import ListRequest, Records, envelope, requested_page
from crm_assets.sandbox.routing import Call, find_resource
from crm_assets.sandbox.tables import Tables
from crm_assets.sandbox.times import DAY, midnight
from crm_assets.sandbox.wire import RowReader, enveloped, listed_at, selector_of, split_companions

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True)
class PageRequest:
    """A request for one page of one list, found to be in order."""

    request: Request
    connection: Connection
    resource: Resource
    parent: Any
    """Value that binds the list to its parent, if it has one."""
    records: Records
    """The whole list."""
    key: tuple[str, ...] | None
    """Path of the records' key."""
    asked: ListRequest
    start: int
    """Record the page begins at, from 0."""
    size: int
    """Records of a page."""

    @property
    def number(self) -> int:
        """Position of the page in its list, from 1, however the API counts."""
        return self.start // max(self.size, 1) + 1


class Sandbox:
    """Local APIs with test data. Nothing is generated before it is asked for.

    Args:
        connections: Whose APIs to imitate; each is served under its name.
        rows: Typical number of rows of a resource.
        seed: Seed of the data; the same arguments give the same data in every run and process.
        start: First day with data; the connection's own ``start_date`` when left out.
        today: Last day with data; the current day when left out.
        state: Days that have passed since, each with changed, new and deleted rows; may be set at any time.
    """

    def __init__(
        self,
        connections: Iterable[Connection],
        *,
        rows: int = 120,
        seed: int = 7,
        start: date | None = None,
        today: date | None = None,
        state: int = 0,
    ) -> None:
        self.connections = {connection.name: connection for connection in connections}
        self.today = today or datetime.now(timezone.utc).date()
        self.state = state
        database = duckdb.connect(config={"threads": 1})
        self._tables = {
            name: Tables(connection, database, rows, seed, start or connection.start_date, self.today)
            for name, connection in self.connections.items()
        }
        self.app = Starlette(routes=[Route("/{path:path}", self.handle, methods=_METHODS)])

    def rows(
        self, connection: str, resource: str, *, window: tuple[date, date] | None = None, parent: Any = None
    ) -> list[dict[str, Any]]:
        """Return the true rows of a resource in the current state, column by column in the declared types.

        Args:
            connection: Name of the connection.
            resource: Name of the resource.
            window: First and last day (inclusive) of the window's or cursor's field; all rows without it.
            parent: Value that binds the rows to one parent; the rows of all parents without it.
        """
        tables, zone = self._tables[connection], self.connections[connection].zone
        declared = self.connections[connection].system.resource(resource)
        bounds = Bounds(midnight(window[0], zone), midnight(window[1] + DAY, zone)) if window else UNBOUNDED
        reader = RowReader(declared)
        parents = [None] if declared.parent is None else self._parents(connection, declared)
        days = {"window_start": window[0], "window_end": window[1]} if window else {}
        return [
            reader.row(record, {**days, **({declared.parent.placeholder: value} if declared.parent else {})})
            for index, value in enumerate(parents)
            if parent is None or value == parent
            for record in tables.records(resource, self.state, index if declared.parent else None, bounds)[:]
        ]

    async def handle(self, request: Request) -> Response:
        """Answer any request, with an error where it is not in order."""
        try:
            name, *segments = path_segments(request)
            connection = self.connections.get(name)
            if connection and (login := login_at(connection, segments)):
                return await answer_login(connection, login, request)
            return await self.respond(await self._page_request(request))
        except RefusedError as refusal:
            return json_response({"error": refusal.message}, refusal.status, refusal.headers)

    async def respond(self, page: PageRequest) -> Response:
        """Answer with a page of a list.

        Raises:
            RefusedError: The answer is an error.
        """
        endpoint, window = page.resource.endpoint, page.resource.window
        # An API with a greatest depth serves nothing beyond it, without a word.
        last = min(page.start + page.size, window.max_rows if window and window.max_rows else page.start + page.size)
        records = page.records[page.start : last]
        companions = split_companions(endpoint.include, records) if endpoint.include else []
        about = envelope(endpoint, page.asked, page.records, page.key, page.start, page.size)
        wrapped = [{endpoint.unwrap: record} if endpoint.unwrap else record for record in records]
        body = enveloped(listed_at(selector_of(endpoint), wrapped), about.values)
        body = enveloped(body, {endpoint.include.path: companions}) if endpoint.include else body
        return json_response(body, headers=about.headers)

    async def _page_request(self, request: Request) -> PageRequest:
        name, *segments = path_segments(request)
        if name not in self.connections:
            raise RefusedError(404, f"Unknown connection {name}; expected one of: {', '.join(self.connections)}.")
        connection, tables = self.connections[name], self._tables[name]
        asked = ListRequest(query_of(request), await json_body(request), str(request.url.replace(query="")))
        resource, bound = find_resource(connection, Call(request.method, segments, asked.query, asked.body))
        check_credentials(connection, resource, request.headers, request.query_params)
        parent, index = self._parent(connection, resource, bound)
        bounds = requested_bounds(resource, connection.zone, asked.query, asked.body)
        records = tables.records(resource.name, self.state, index, bounds)
        keys = tables.population.counted(resource)
        key = resource.columns[keys[0]].wire_path(keys[0]) if keys else None
        start, size = requested_page(resource.endpoint, asked, records, key)
        return PageRequest(request, connection, resource, parent, records, key, asked, start, size)

    def _parent(self, connection: Connection, resource: Resource, bound: Mapping[str, Any]) -> tuple[Any, int | None]:
        """Return the parent's value the request asks for, in the parent's own type, and which of its rows that is."""
        if resource.parent is None:
            return None, None
        key = str(bound.get(resource.parent.placeholder))
        for index, value in enumerate(self._parents(connection.name, resource)):
            if str(value) == key:
                return value, index
        raise RefusedError(404, f"No row {key} in {resource.parent.resource}.")

    def _parents(self, connection: str, resource: Resource) -> list[Any]:
        """Return the values that bind lists of a resource to the rows of its parent, row by row."""
        assert resource.parent
        table = self._tables[connection].table(resource.parent.resource, self.state)
        return table.values(resource.parent.field)
