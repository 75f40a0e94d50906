"""The sandbox with faults, latency, a rate limit and a log of its requests."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from datetime import date
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from crm_assets.declarations import Connection
from crm_assets.sandbox import Sandbox
from crm_assets.sandbox.calls import Call
from crm_assets.sandbox.matching import find_resource
from crm_assets.sandbox.paging import PageRequest
from crm_assets.sandbox.times import DAY, Span, midnight
from crm_assets_tests.faults.fault import FaultPlan
from crm_assets_tests.faults.records import with_moved_rows
from crm_assets_tests.faults.request_log import LoggedRequest, RequestLog
from crm_assets_tests.faults.response import before_answer, with_faults
from crm_assets_tests.faults.truth import true_row


class FaultySandbox(Sandbox):
    """A sandbox that can be made to fail.

    Args:
        connections: Whose APIs to imitate.
        rows: Typical number of rows of a resource.
        seed: Seed of the data.
        start: First day with data.
        today: Last day with data.
        state: Days that have passed since.
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
        super().__init__(connections, rows=rows, seed=seed, start=start, today=today, state=state)
        self.latency, self.rate_limit = latency, rate_limit
        self.requests = RequestLog()
        self.faults = FaultPlan()
        self._recent: dict[str, deque[float]] = {name: deque() for name in self.connections}

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
        zone = self.connections[connection].zone
        declared = self.connections[connection].system.resource(resource)
        span = Span(midnight(window[0], zone), midnight(window[1] + DAY, zone)) if window else None
        days = {"window_start": window[0], "window_end": window[1]} if window else {}
        parents = [None] if declared.parent is None else self.parents(connection, declared)
        table = self.table(connection, resource)
        return [
            true_row(declared, record, {**days, **({declared.parent.placeholder: value} if declared.parent else {})})
            for index, value in enumerate(parents)
            if parent is None or value == parent
            for record in table.records(self.state, index if declared.parent else None, span).page(0)
        ]

    def reset(self) -> None:
        """Remove all faults, forget all requests and go back to the first day."""
        self.faults.clear()
        self.requests.clear()
        self.state, self.latency, self.rate_limit = 0, 0.0, None

    async def handle(self, call: Call) -> Response:
        """Log the request and answer it, after the latency."""
        request = call.request
        entry = LoggedRequest(request.method, request.url.path, dict(call.query), dict(request.headers), call.body)
        entry.connection = call.connection if call.connection in self.connections else None
        request.state.entry = entry
        self.requests.append(entry)
        await asyncio.sleep(self.latency)
        response = await super().handle(call)
        entry.status = response.status_code
        return response

    async def respond(self, page: PageRequest) -> Response:
        """Answer with the faults that apply to the page."""
        entry, name = page.call.request.state.entry, page.call.connection
        # The position of the page in its list, from 1, however the API counts.
        entry.resource, entry.page = page.resource.name, page.start // max(page.size, 1) + 1
        self._check_rate(name)
        parent = None
        if declared := page.resource.parent:
            parent = find_resource(self.connections[name], page.call)[1].get(declared.placeholder)
        faults = self.faults.take(name, page.resource.name, entry.page, parent)
        entry.faults = tuple(fault.kind for fault in faults.faults)
        early = await before_answer(faults, page.call.request)
        return early or with_faults(faults, page, await super().respond(with_moved_rows(faults, page)))

    def _check_rate(self, connection: str) -> None:
        if not self.rate_limit:
            return
        recent, now = self._recent[connection], time.monotonic()
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= self.rate_limit:
            raise HTTPException(429, "Too many requests.", {"Retry-After": "1"})
        recent.append(now)
