"""A list that moves while it is read: a model of the server, and what a read of it brings and says."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

from crm_assets.declarations.models.paginator import Paginator
from crm_assets.extract.decode.record_validator import RecordValidator
from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.client import Answer
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.list_memory import ListMemory
from crm_assets.extract.paging.movement import Fingerprint, Settled, Sighting, settle
from crm_assets.extract.paging.page import Page, PagingState
from crm_assets.extract.paging.paginate import walk
from crm_assets.extract.paging.response_body import open_body
from crm_assets.extract.read_report import ReadReport
from crm_assets.extract.verification import verify
from crm_assets_tests.extract.declared import endpoint, resource

Kind = Literal["create", "delete", "change"]
Event = tuple[int, Kind, float]
"""Number of the request before which it happens, what happens, and where in the list, from 0 to 1."""
Order = Literal["newest first", "oldest first", "changed first", "changed last"]

_PAGINATORS: TypeAdapter[Paginator] = TypeAdapter(Paginator)
_CHECK = RecordValidator(resource({"id": {"type": "bigint", "nullable": False}}))
_ENDPOINT = endpoint()
SIZE = 5

WAYS: dict[str, dict[str, Any]] = {
    "total": {"type": "page_number", "end": "empty_page", "total_records_path": "total"},
    "pages": {"type": "page_number", "end": "total_pages", "total_pages_path": "pages"},
    "empty": {"type": "page_number", "end": "empty_page"},
    "short": {"type": "page_number", "end": "short_page"},
    "offset": {"type": "offset", "end": "empty_page"},
    "link": {"type": "json_link", "next_url_path": "next"},
    "cursor": {"type": "cursor", "cursor_path": "after", "cursor_param": "after"},
}


@dataclass
class MovingList:
    """The server.

    Args:
        way: How the list is paged, one of :data:`WAYS`.
        count: Records at the beginning.
        events: What happens while it is read.
        order: Where new and changed records are.
    """

    way: str
    count: int
    events: Sequence[Event] = ()
    order: Order = "oldest first"
    size: int = SIZE
    """Records of a page."""
    asked: list[int] = field(default_factory=list)
    """Pages that were asked for, from 0."""
    past_the_end: int = 0

    def __post_init__(self) -> None:
        self.ids = list(range(self.count))
        self.always = set(self.ids)
        """Records that were there all the time."""
        self._next = self.count
        self._due = sorted(self.events)

    @property
    def paginator(self) -> Paginator:
        """The declaration."""
        return _PAGINATORS.validate_python({**WAYS[self.way], "limit_param": "size", "limit": self.size})

    def serve(self, request: Request) -> dict[str, Any]:
        """Let happen what is due, and return the page."""
        while self._due and self._due[0][0] <= len(self.asked):
            self._happen(*self._due.pop(0)[1:])
        start = self._start(request)
        self.asked.append(start // self.size)
        self.past_the_end += start > 0 and start >= len(self.ids)
        shown, more = self.ids[start : start + self.size], start + self.size < len(self.ids)
        body: dict[str, Any] = {"data": [{"id": number} for number in shown]}
        if self.way == "total":
            body["total"] = len(self.ids)
        if self.way == "pages":
            body["pages"] = -(-len(self.ids) // self.size)
        if self.way == "link":
            body["next"] = f"/things?page={start // self.size + 2}" if more else None
        if self.way == "cursor":
            body["after"] = shown[-1] + 1 if more else None  # by key, so the order has to be that of the keys
        return body

    def _start(self, request: Request) -> int:
        match self.way:
            case "offset":
                return int(request.params["offset"])
            case "link":
                return (int(request.url.partition("page=")[2] or 1) - 1) * self.size
            case "cursor":
                return sum(number < int(request.params.get("after", 0)) for number in self.ids)
            case _:
                return (int(request.params["page"]) - 1) * self.size

    def _happen(self, kind: Kind, where: float) -> None:
        place = min(int(where * len(self.ids)), len(self.ids) - 1)
        if kind == "create":
            self.ids.insert(len(self.ids) if self.order in ("oldest first", "changed last") else 0, self._next)
            self._next += 1
        elif not self.ids:
            return
        elif kind == "delete":
            self.always.discard(self.ids.pop(place))
        elif self.order.startswith("changed"):
            self.ids.insert(0 if self.order == "changed first" else len(self.ids), self.ids.pop(place))


@dataclass
class Outcome:
    """What a read brought and said."""

    ids: set[int]
    settled: Settled
    requests: int
    past_the_end: int
    missing: set[int]
    """Records that were there all the time and were not read."""
    error: str = ""


def read(moving: MovingList, known: set[int] | None = None) -> Outcome:
    """Read a list and settle it, as a reader does.

    Args:
        moving: The server.
        known: Records of an earlier read.
    """
    source, before = _Source(moving), len(moving.asked)

    async def vanished() -> int:
        return len((known or set()) - {*source.ids})

    async def run() -> Settled:
        first = await source.read_through()
        return await settle(source, first, known=known is not None, vanished=vanished)

    settled, error = Settled(), ""
    try:
        settled = asyncio.run(run())
        seen = {*source.ids}
        report = ReadReport(rows=len(seen), duplicates=source.state.records - len(seen), moved=settled.moved)
        report.reported_total = source.state.reported_total
        verify(report, paged=True)
        settled = Settled(report.unproven, proven=False) if report.unproven else settled
    except ReadError as problem:
        error = problem.problem
    missing = moving.always - {*source.ids}
    return Outcome({*source.ids}, settled, len(moving.asked) - before, moving.past_the_end, missing, error)


class _Source:
    def __init__(self, moving: MovingList) -> None:
        self.ids: list[int] = []
        self.state = PagingState()
        self._moving = moving

    async def _fetch(self, request: Request, name: str) -> Page:
        body = open_body(Answer(json.dumps(self._moving.serve(request)).encode(), "application/json"), _ENDPOINT)
        verdict = _CHECK(body.records)
        records = Records(body.records, None, (), verdict.fits, verdict.count, verdict.fingerprint)
        self.ids += [record["id"] for record in json.loads(body.records)]
        return Page(body, records, request=request)

    async def read_through(self) -> Sighting:
        self.state = PagingState(ListMemory())
        request = Request("GET", "https://api.example/things")
        async for _ in walk(self._moving.paginator, request, self._fetch, self.state, ahead=1):
            pass
        return self.state.sighting

    async def read_again(self, page: int) -> Fingerprint:
        request, _ = self.state.visited[page]
        assert request
        return (await self._fetch(request, "again")).records.fingerprint


def churn(chance: random.Random, every: float, requests: int, kinds: Sequence[Kind]) -> list[Event]:
    """Return events at a rate, one at most between two requests.

    Args:
        chance: Decides.
        every: Requests for each event, on average.
        requests: How long the churn goes on.
        kinds: What happens, in turn.
    """
    moments = [number for number in range(1, requests) if chance.random() < 1 / every]
    places = (0.0, 1.0, chance.random(), chance.random())
    return [(at, kinds[number % len(kinds)], chance.choice(places)) for number, at in enumerate(moments)]
