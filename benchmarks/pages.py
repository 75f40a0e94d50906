"""A paged list API on 127.0.0.1, in a process of its own, fast enough not to be what a benchmark measures.

    GET /<anything>/<list>?page=1&per_page=100[&updated_since=2024-01-01T00:00:00Z]
        {"meta": {"page": 1, "next_page": 2, "total_pages": 1000, "total_records": 100000}, "records": [...]}
    GET /__stats                         what was asked so far, as JSON
    GET /__set?rows=..&latency_ms=..     change any option; also sets the counters back

Beyond the rate limit the answer is 429 with ``Retry-After: 1``; the limit is a token bucket of ``burst`` tokens.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import deque
from dataclasses import dataclass, field, replace
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

from record import changed_since
from shelf import Shelf, http_answer, page_answer


@dataclass(frozen=True)
class Options:
    """How the server behaves."""

    rows: int = 10_000
    """Records of every list."""
    per_page: int = 100
    """Page size when the request names none."""
    latency_ms: float = 0
    """Time each answer takes."""
    rate: float = 0
    """Requests a second before 429s; 0 means unlimited."""
    burst: float = 10
    """Requests above the rate that are let through after a pause."""
    changed: float = 0
    """Percent of the rows that have changed since the first sync."""

    def updated(self, values: dict[str, str]) -> Options:
        """Return the options with some of them replaced, from text."""
        return replace(self, **{name: type(getattr(self, name))(float(value)) for name, value in values.items()})


@dataclass
class Stats:
    """What a server was asked."""

    requests: int = 0
    refused: int = 0
    sent_bytes: int = 0
    filtered: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    peak_per_second: int = 0
    first: float = 0
    last: float = 0
    _recent: deque[float] = field(default_factory=deque)

    def arrived(self, now: float) -> None:
        """Count one request."""
        self.requests += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self.first = self.first or now
        self._recent.append(now)
        while self._recent[0] <= now - 1:
            self._recent.popleft()
        self.peak_per_second = max(self.peak_per_second, len(self._recent))

    def answered(self, now: float, size: int) -> None:
        """Count one answer."""
        self.in_flight -= 1
        self.sent_bytes += size
        self.last = now

    def as_json(self) -> bytes:
        """Return the counters; ``fetch_seconds`` runs from the first request to the last answer."""
        shown = {
            key: value for key, value in vars(self).items() if key not in {"_recent", "first", "last", "in_flight"}
        }
        return json.dumps({**shown, "fetch_seconds": round(self.last - self.first, 3)}).encode()


class Bucket:
    """A token bucket: ``rate`` tokens a second, at most ``burst`` of them kept."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._tokens, self._at = burst, time.monotonic()

    def take(self, now: float) -> bool:
        """Take one token; return whether there was one."""
        if not self.rate:
            return True
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Api:
    """The list API: options, counters and the answers to requests."""

    def __init__(self, options: Options) -> None:
        self._shelves = lru_cache(maxsize=1)(Shelf)
        self.use(options)

    def use(self, options: Options) -> None:
        """Take new options and set the counters back."""
        self.options = options
        self._shelf = self._shelves(options.rows, options.per_page, options.changed)
        self._bucket = Bucket(options.rate, options.burst)
        self._since = lru_cache(maxsize=16)(lambda since: changed_since(options.rows, options.changed, since))
        self.stats = Stats()

    def answer(self, target: str) -> tuple[bytes | memoryview, bool]:
        """Return the whole HTTP answer to ``GET target``, and whether it is one of a list (counted, delayed)."""
        url = urlsplit(target)
        query = dict(parse_qsl(url.query))
        if url.path == "/__stats":
            return http_answer(200, self.stats.as_json()), False
        if url.path == "/__set":
            self.use(self.options.updated(query))
            return http_answer(200, b"{}"), False
        now = time.monotonic()
        self.stats.arrived(now)
        if not self._bucket.take(now):
            self.stats.refused += 1
            return http_answer(429, b'{"error":"too many requests"}', b"Retry-After: 1\r\n"), True
        return self._page(query), True

    def _page(self, query: dict[str, str]) -> bytes | memoryview:
        page, size = int(query.get("page") or 1), int(query.get("per_page") or self.options.per_page)
        since = query.get("updated_since")
        self.stats.filtered += bool(since)
        shelved = self._shelf.answer(page) if size == self.options.per_page and not since else None
        rows = self._since(since) if since else range(1, self.options.rows + 1)
        return shelved or page_answer(rows, page, size, self.options.changed)


class Connection(asyncio.Protocol):
    """One kept-run_lock client connection that sends GET requests one after another."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio calls this)."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every complete request in the buffer (asyncio calls this)."""
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
            answer, counted = self._api.answer(head.split(b" ", 2)[1].decode())
            if counted and self._api.options.latency_ms:
                delay = self._api.options.latency_ms / 1_000
                asyncio.get_running_loop().call_later(delay, self._send, answer, counted)
            else:
                self._send(answer, counted)

    def _send(self, answer: bytes | memoryview, counted: bool) -> None:
        assert self._transport
        if counted:
            self._api.stats.answered(time.monotonic(), len(answer))
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(options: Options, port: int) -> None:
    """Serve until cancelled; the first line printed is the base URL."""
    api = Api(options)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(api), "127.0.0.1", port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Read the options from the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 (default) takes any free port")
    for name, default in vars(Options()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    values = vars(parser.parse_args())
    port = values.pop("port")
    asyncio.run(serve(Options(**values), port))


if __name__ == "__main__":
    main()
