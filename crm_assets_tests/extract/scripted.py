"""A server on loopback that answers a list of scripted answers, one per request, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    hang_up: bool = False
    """Cut the connection in the middle of the body."""


@dataclass(frozen=True)
class Heard:
    """One request as the server saw it."""

    at: float
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Scripted:
    """The running server."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)

    @property
    def waits(self) -> list[float]:
        """Seconds between each request and the next."""
        return [later.at - earlier.at for earlier, later in zip(self.heard[:-1], self.heard[1:], strict=True)]


@asynccontextmanager
async def scripted(replies: Sequence[Reply]) -> AsyncIterator[Scripted]:
    """Serve the replies in their order; the last one again for whatever is asked beyond."""
    server = Scripted()

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        server.heard.append(Heard(time.perf_counter(), request.method, request.raw_path, dict(request.headers), body))
        reply = replies[min(len(server.heard), len(replies)) - 1]
        if not reply.hang_up:
            return web.Response(status=reply.status, body=reply.body, headers=reply.headers)
        response = web.StreamResponse(headers={"Content-Length": str(len(reply.body) + 10)})
        await response.prepare(request)
        await response.write(reply.body)
        assert request.transport is not None
        request.transport.close()
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@contextmanager
def served(replies: Sequence[Reply]) -> Iterator[Scripted]:
    """Serve the replies in a thread of its own, for reads that have an event loop of theirs."""
    context, loop = scripted(replies), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
