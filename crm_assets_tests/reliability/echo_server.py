"""A server that tells everything it heard to everybody, in every way a server can fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

WAYS = ("fine", "forbidden", "missing", "broken", "html", "text", "truncated", "elsewhere", "linked", "cut")
"""Paths, and what becomes of a request for them."""


@dataclass
class Curious:
    """The running server."""

    url: str = ""
    elsewhere: str = ""
    """Where redirects and links lead."""
    heard: list[str] = field(default_factory=list)


@contextmanager
def curious() -> Iterator[Curious]:
    """Serve on loopback."""
    server = Curious()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            echo = f"{self.path} {dict(self.headers)}"
            server.heard.append(echo)
            way = self.path.strip("/").partition("?")[0]
            status = {"forbidden": 403, "missing": 404, "broken": 500, "elsewhere": 302}.get(way, 200)
            page: dict[str, object] = {"data": [{"id": "1"}], "error": f"who sent {echo}?"}
            if way == "linked":
                page["next"] = f"{server.elsewhere}/linked?page=2"
            body = json.dumps(page if status == 200 else {"error": f"who sent {echo}?"})
            body = {"html": f"<html>{echo}</html>", "text": echo, "truncated": body[:-9]}.get(way, body)
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if way == "html" else "application/json")
            self.send_header("Content-Length", str(len(body) + 5 * (way == "cut")))
            if way == "elsewhere":
                self.send_header("Location", f"{server.elsewhere}{self.path}")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
