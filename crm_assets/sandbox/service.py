"""The sandbox: local APIs for all configured connections, made from their declarations and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crm_assets.declarations import Connection, Resource
from crm_assets.sandbox.credentials import check_credentials
from crm_assets.sandbox.draw import midnight
from crm_assets.sandbox.errors import RefusedError
from crm_assets.sandbox.filters import UNBOUNDED, Bounds, requested_bounds
from crm_assets.sandbox.http_io import json_body, json_response, path_segments, query_of
from crm_assets.sandbox.paging import ListRequest, envelope, requested_page
from crm_assets.sandbox.routing import Call, find_resource
from crm_assets.sandbox.store import Store
from crm_assets.sandbox.tables import Maker
from crm_assets.sandbox.wire import Recorder, enveloped, listed_at, split_companions

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True)
class PageRequest:
    """A request for one page of one list, found to be in order."""

    request: Request
    connection: Connection
    resource: Resource
    parent: Any
    """Value that binds the list to its parent, if it has one."""
    rows: Sequence[dict[str, Any]]
    """The whole list."""
    key: str | None
    """Column that counts the rows."""
    asked: ListRequest
    start: int
    """Row the page begins at, from 0."""
    size: int
    """Rows of a page."""

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
        self._makers = {
            name: Maker(connection, rows, seed, start or connection.start_date, self.today)
            for name, connection in self.connections.items()
        }
        self._store = Store(self._makers, self.today)
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
        here = self.connections[connection]
        declared = here.system.resource(resource)
        bounds = UNBOUNDED
        if window:
            bounds = Bounds(midnight(window[0], here.zone), midnight(window[1] + timedelta(days=1), here.zone))
        parents = self._store.parent_values(connection, resource, self.state)
        lists = [parent] if parent is not None or parents is None else parents
        return [
            {**row, **_placeholders(declared, one, window)}
            for one in lists
            for row in self._store.select(connection, resource, self.state, one, bounds)
        ]

    async def handle(self, request: Request) -> Response:
        """Answer any request, with an error where it is not in order."""
        try:
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
        recorder = Recorder(page.resource, page.connection.zone)
        records = [recorder.record(row) for row in page.rows[page.start : last]]
        companions = split_companions(endpoint.include, records) if endpoint.include else []
        body = listed_at(endpoint.data_selector or (), [recorder.wrapped(record) for record in records])
        about = envelope(endpoint.paginator, page.asked, page.rows, page.key, page.start, page.size)
        body = enveloped(body, about)
        return json_response(enveloped(body, {endpoint.include.path: companions}) if endpoint.include else body)

    async def _page_request(self, request: Request) -> PageRequest:
        name, *segments = path_segments(request)
        if name not in self.connections:
            raise RefusedError(404, f"There is no connection {name}; there are: {', '.join(self.connections)}.")
        connection = self.connections[name]
        check_credentials(connection, request.headers, request.query_params)
        asked = ListRequest(query_of(request), await json_body(request), str(request.url.replace(query="")))
        resource, bound = find_resource(connection, Call(request.method, segments, asked.query, asked.body))
        parent = self._parent(connection, resource, bound)
        bounds = requested_bounds(resource, connection.zone, asked.query, asked.body)
        rows = self._store.select(connection.name, resource.name, self.state, parent, bounds)
        key = self._makers[name].subjects.roles(resource.name).key
        start, size = requested_page(resource.endpoint.paginator, asked, rows, key)
        return PageRequest(request, connection, resource, parent, rows, key, asked, start, size)

    def _parent(self, connection: Connection, resource: Resource, bound: Mapping[str, Any]) -> Any:
        """Return the parent's value the request asks for, in the parent's own type."""
        if resource.parent is None:
            return None
        given = str(bound.get(resource.parent.placeholder))
        values = self._store.parent_values(connection.name, resource.name, self.state) or []
        parent = next((value for value in values if str(value) == given), None)
        if parent is None:
            raise RefusedError(404, f"There is no row {given} in {resource.parent.resource}.")
        return parent


def _placeholders(resource: Resource, parent: Any, window: tuple[date, date] | None) -> dict[str, Any]:
    """Return the values of the columns that are filled from the request."""
    known = {resource.parent.placeholder: parent} if resource.parent else {}
    known |= {"window_start": window[0], "window_end": window[1]} if window else {}
    return {
        name: known.get(column.placeholder)
        for name, column in resource.columns.items()
        if column.placeholder is not None
    }
