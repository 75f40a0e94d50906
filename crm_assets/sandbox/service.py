"""The sandbox: local APIs for all configured connections, made of their declarations and of nothing else."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crm_assets.declarations import Connection, Resource
from crm_assets.sandbox.answers import RefusedError
from crm_assets.sandbox.auth import check_credentials
from crm_assets.sandbox.draw import midnight
from crm_assets.sandbox.exchange import json_response, logged, segments_of
from crm_assets.sandbox.faults import FaultPlan
from crm_assets.sandbox.filters import UNBOUNDED, Bounds, requested_bounds
from crm_assets.sandbox.log import Logged, RequestLog
from crm_assets.sandbox.paging import Asked, asked_page
from crm_assets.sandbox.reply import Reply
from crm_assets.sandbox.routing import Call, find_resource
from crm_assets.sandbox.selection import Selection
from crm_assets.sandbox.spoiling import before_answer, spoil_response
from crm_assets.sandbox.store import Store
from crm_assets.sandbox.tables import Maker

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Sandbox:
    """Local APIs with test data. Nothing is generated before it is asked for.

    Args:
        connections: Whose APIs to imitate; each is served under its name.
        rows: Typical number of rows of a resource.
        seed: Seed of the data; the same arguments give the same data in every run and process.
        start: First day with data; the connection's own ``start_date`` when left out.
        today: Last day with data; the current day when left out.
        state: Days that have passed since, each with changed, new and deleted rows; may be set at any time.
        latency: Seconds every answer takes.
        rate_limit: Requests per second and connection; more are answered with 429.
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
        latency: float = 0.0,
        rate_limit: float | None = None,
    ) -> None:
        self.connections = {connection.name: connection for connection in connections}
        self.today = today or datetime.now(timezone.utc).date()
        self.state = state
        self.latency = latency
        self.rate_limit = rate_limit
        self.requests = RequestLog()
        self.faults = FaultPlan()
        self._makers = {
            name: Maker(connection, rows, seed, self._start(connection, start), self.today)
            for name, connection in self.connections.items()
        }
        self._store = Store(self._makers, self.today)
        self._recent: dict[str, deque[float]] = {name: deque() for name in self.connections}
        self.app = Starlette(routes=[Route("/{path:path}", self._endpoint, methods=_METHODS)])

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

    @staticmethod
    def _start(connection: Connection, start: date | None) -> date:
        return start or connection.start_date

    async def _endpoint(self, request: Request) -> Response:
        entry = await logged(request)
        self.requests.append(entry)
        if self.latency:
            await asyncio.sleep(self.latency)
        try:
            response = await self._answer(request, entry)
        except RefusedError as refusal:
            response = json_response({"error": refusal.message}, refusal.status, refusal.headers)
        entry.status = response.status_code
        return response

    async def _answer(self, request: Request, entry: Logged) -> Response:
        name, *segments = segments_of(request)
        if name not in self.connections:
            raise RefusedError(404, f"There is no connection {name}; there are: {', '.join(self.connections)}.")
        connection, entry.connection = self.connections[name], name
        check_credentials(connection, request.headers, request.query_params)
        self._check_rate(name)
        resource, bound = find_resource(connection, Call(request.method, segments, entry.query, entry.body))
        entry.resource = resource.name
        parent = self._parent(connection, resource, bound)
        selection = self._selection(connection, resource, parent, entry)
        asked = Asked(entry.query, entry.body, str(request.url.replace(query="")))
        key = self._makers[name].subjects.roles(resource.name).key
        start, size = asked_page(resource.endpoint.paginator, asked, selection, key)
        entry.page = start // max(size, 1) + 1
        met = self.faults.take(name, resource.name, entry.page, parent)
        entry.faults = tuple(fault.kind for fault in met.faults)
        if early := await before_answer(met, request):
            return early
        reply = Reply(connection, resource, selection, asked, key, met)
        return spoil_response(met, json_response(reply.body(0 if "page_ignored" in met else start, size)))

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

    def _selection(self, connection: Connection, resource: Resource, parent: Any, entry: Logged) -> Selection:
        bounds = requested_bounds(resource, connection.zone, entry.query, entry.body)
        return self._store.select(connection.name, resource.name, self.state, parent, bounds)

    def _check_rate(self, connection: str) -> None:
        if not self.rate_limit:
            return
        recent, now = self._recent[connection], time.monotonic()
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= self.rate_limit:
            raise RefusedError(429, "Too many requests.", {"Retry-After": "1"})
        recent.append(now)


def _placeholders(resource: Resource, parent: Any, window: tuple[date, date] | None) -> dict[str, Any]:
    """Return the values of the columns that are filled from the request."""
    known = {resource.parent.placeholder: parent} if resource.parent else {}
    known |= {"window_start": window[0], "window_end": window[1]} if window else {}
    return {
        name: known.get(column.placeholder)
        for name, column in resource.columns.items()
        if column.placeholder is not None
    }
