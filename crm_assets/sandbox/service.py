"""The sandbox: local APIs for all configured connections, made from their declarations and from nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime, timezone
from functools import cache
from typing import Any

import uvicorn
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from crm_assets.declarations import Column, Connection, Resource
from crm_assets.declarations.json_path import dig
from crm_assets.sandbox.bodies import answer
from crm_assets.sandbox.calls import Call, answer_login, check_credentials
from crm_assets.sandbox.exports import Exports
from crm_assets.sandbox.matching import find_resource, requested_span
from crm_assets.sandbox.paging import PageRequest, envelope, requested_page
from crm_assets.sandbox.people import sample_data
from crm_assets.sandbox.population import Population
from crm_assets.sandbox.tables import Table
from crm_assets.sandbox.times import DAY


class Sandbox:
    """Local APIs with test data, as an ASGI application. Nothing is generated before it is asked for.

    Args:
        connections: Whose APIs to imitate; each is served under its name.
        rows: Typical number of rows of a resource.
        seed: Seed of the data; the same arguments give the same data in every run and process.
        start: First day with data; the connection's own ``start_date`` when left out.
        today: Last day with data; when left out yesterday, so that what a day later brings is not in the future.
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
        self.connections = {connection.name: _with_columns(connection) for connection in connections}
        self.state, self._start = state, start
        self._today, self._started = today, datetime.now(timezone.utc)
        self._population = cache(lambda name: Population(self.connections[name], rows, seed))
        self.table = cache(self._table)
        self._exports = Exports()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of the server."""
        response = await self.handle(await Call.read(Request(scope, receive)))
        await response(scope, receive, send)

    async def handle(self, call: Call) -> Response:
        """Answer any request, with an error where it is not in order."""
        try:
            connection = self.connections.get(call.connection)
            if connection is None:
                raise HTTPException(404, f"Unknown connection {call.connection}; known: {', '.join(self.connections)}.")
            found = answer_login(connection, call) or self._exports.at(connection, call)
            found = found or self._page_request(connection, call)
            return found if isinstance(found, Response) else await self.respond(found)
        except HTTPException as refusal:
            return JSONResponse({"error": refusal.detail}, refusal.status_code, refusal.headers)

    async def respond(self, page: PageRequest) -> Response:
        """Answer with a page of a list."""
        window, end = page.resource.window, page.start + page.size
        # An API with a greatest depth serves nothing beyond it, without a word.
        records = page.records.page(page.start, min(end, window.max_rows) if window and window.max_rows else end)
        return answer(page.resource.endpoint, records, *envelope(page))

    def parents(self, connection: str, resource: Resource) -> list[Any]:
        """Return the values that bind lists of a resource to the rows of its parent, row by row."""
        assert resource.parent
        table, name = self.table(connection, resource.parent.resource), resource.parent.field
        path = table.resource.columns[name].wire_path(name)
        return [dig(record, path) for record in table.records(self.state).page(0)]

    def _table(self, name: str, resource: str) -> Table:
        """Return the table of a resource of the connection called ``name``."""
        connection = self.connections[name]
        today = self._today or self._started.astimezone(connection.zone).date() - DAY
        return Table(connection, resource, self._population(name), self._start or connection.start_date, today)

    def _page_request(self, connection: Connection, call: Call) -> PageRequest | Response:
        """Return the page a request asks for, or the answer to one that has it exported."""
        resource, values = find_resource(connection, call)
        check_credentials(connection, resource, call)
        index = None
        if resource.parent:
            parent = str(values.get(resource.parent.placeholder))
            parents = [str(value) for value in self.parents(connection.name, resource)]
            if parent not in parents:
                raise HTTPException(404, f"No row {parent} in {resource.parent.resource}.")
            index = parents.index(parent)
        table, span = self.table(connection.name, resource.name), requested_span(resource, connection.zone, call)
        records = table.records(self.state, index, span)
        page = PageRequest(call, resource, records, *requested_page(resource, call, records))
        job = resource.endpoint.export_job
        return self._exports.make(page, job) if job else page


def _with_columns(connection: Connection) -> Connection:
    """Return a connection whose lists that declare no columns have some, so that there are fields to become columns."""
    columns = {"columns": {name: Column.model_validate(each) for name, each in sample_data()["columns"].items()}}
    resources = tuple(each if each.columns else each.model_copy(update=columns) for each in connection.system.resources)
    return connection.model_copy(update={"system": connection.system.model_copy(update={"resources": resources})})


def server_of(sandbox: Sandbox) -> uvicorn.Server:
    """Return a server of a sandbox, to be run with a socket that listens."""
    config = uvicorn.Config(
        sandbox,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        log_level="critical",
        timeout_keep_alive=75,  # as nginx: uvicorn's 5 seconds end some connections in the moment they are used again
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def run_forever(sandbox: Sandbox, port: int) -> None:
    """Serve a sandbox on a port of 127.0.0.1 until Ctrl-C, then return; SIGTERM ends the process.

    Raises:
        OSError: The port is taken.
    """
    with suppress(KeyboardInterrupt), socket.create_server(("127.0.0.1", port), backlog=512) as listener:
        server_of(sandbox).run(sockets=[listener])
