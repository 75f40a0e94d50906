"""An HTTP server on loopback that knows nothing but one transcript."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from crm_assets_tests.transcripts.transcript import Answer, Asked, Exchange

UNEXPECTED = 599
"""Status of the answer to a request that is not in the transcript; no declaration retries it."""


class TranscriptServer(ThreadingHTTPServer):
    """Answers each request of the transcript once; equal requests are answered in the order written.

    Args:
        exchanges: The conversation.
    """

    daemon_threads = True

    def __init__(self, exchanges: tuple[Exchange, ...]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._open = list(exchanges)
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.complaints: list[str] = []
        """Requests the transcript does not hold, each with the nearest one it does."""

    @property
    def url(self) -> str:
        """Address of the server, without a path."""
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> TranscriptServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def unasked(self) -> list[str]:
        """Return the requests that had to be made and were not."""
        return [_told(exchange.request) for exchange in self._open if not exchange.optional]

    def reply(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """Return the answer to a request, which is thereby used up."""
        with self._guard:
            differing = []
            for position, exchange in enumerate(self._open):
                differences = _differences(exchange.request, method, target, headers, body)
                if not differences:
                    return self._open.pop(position).answer
                differing.append(differences)
            nearest = min(differing, key=len, default=["the transcript holds no further request"])
            self.complaints.append(f"{method} {target} {body.decode(errors='replace')}: {'; '.join(nearest)}")
        return Answer(status=UNEXPECTED, json={"error": "not in the transcript"})

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Take note of what goes wrong here; a client may hang up on a page it fetched ahead."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            self.complaints.append(f"the transcript's server failed: {error!r}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TranscriptServer

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.reply(self.command, self.path, dict(self.headers.items()), body)
        kind, content = _content(answer)
        self.send_response(answer.status)
        for name, value in {"Content-Type": kind, **answer.headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, _format: str, *_args: Any) -> None:
        """Keep quiet."""


def _content(answer: Answer) -> tuple[str, bytes]:
    if answer.text is not None:
        kind = "text/html" if answer.text.lstrip().startswith("<") else "application/json"
        return f"{kind}; charset=utf-8", answer.text.encode()
    return "application/json", json.dumps(answer.body, ensure_ascii=False).encode()


def _differences(asked: Asked, method: str, target: str, headers: dict[str, str], body: bytes) -> list[str]:
    parts = urlsplit(target)
    query: dict[str, str | list[str]] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)):
        before = query.get(name)
        query[name] = value if before is None else [*([before] if isinstance(before, str) else before), value]
    given = {name.lower(): value for name, value in headers.items()}
    pairs = [
        ("method", asked.method, method),
        ("path", asked.path, parts.path),
        ("query", asked.query, query),
        *((name, value, given.get(name.lower())) for name, value in asked.headers.items()),
        ("json", asked.body, json.loads(body) if body else None),
    ]
    return [f"{name} is {found!r} instead of {wanted!r}" for name, wanted, found in pairs if wanted != found]


def _told(asked: Asked) -> str:
    return f"{asked.method} {asked.path} {asked.query or ''} {'' if asked.body is None else json.dumps(asked.body)}"
