"""A loopback server that goes away in the midst of a read, and counts what it is asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SYSTEM = """
title: Things
client: {base_url: "https://api.example.com", auth: {type: bearer}}
resource_defaults:
  primary_key: id
  endpoint:
    data_selector: data
    paginator: single_page
    error_handler: {max_retries: 0}
resources:
  - name: contacts
    endpoint:
      path: /contacts
      paginator: {type: page_number, end: total_records, total_records_path: total, limit_param: size, limit: 5}
    columns: &columns {id: {type: bigint, nullable: false}, note: text}
  - name: tickets
    endpoint:
      path: /tickets
      paginator: {type: offset, end: empty_page, limit_param: size, limit: 5}
    columns: *columns
  - name: teams
    endpoint: {path: /teams, paginator: {type: single_page, total_records_path: total}}
    columns: *columns
  - name: notes
    endpoint: {path: "/contacts/{contact_id}/notes"}
    columns: {id: {type: text, nullable: false}, contact_id: {type: bigint, source: "{contact_id}"}}
  - name: days
    endpoint: {path: /days}
    window: {field: seen_on, params: {from: "{window_start}", to: "{window_end}"}, per_partition: true}
    columns: {id: {type: text, nullable: false}, seen_on: date}
"""
"""A counted list with a total and one without, a list per parent, and a list per day."""


class AwayServer:
    """The server.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.rows: dict[str, list[dict[str, Any]]] = {
            name: [{"id": number, "note": "as it was"} for number in range(1, 61)]
            for name in ("contacts", "tickets", "teams")
        }
        self.asked: list[str] = []
        self.stays = float("inf")
        """How many more requests are answered; then it is away."""
        self.status = 503
        """What it answers while it is away."""
        self.claims = 0
        """How many more records it reports than there are."""
        self.seconds = 0.0
        """How long each answer takes."""
        self._lock = threading.Lock()

    def reply(self, target: str) -> tuple[int, Any]:
        """Return status and body of the answer to a request."""
        time.sleep(self.seconds)
        with self._lock:
            self.asked.append(target)
            self.stays -= 1
            if self.stays < 0:
                return self.status, {}
            return 200, self._body(urlsplit(target).path.strip("/").split("/"), dict(parse_qsl(urlsplit(target).query)))

    def _body(self, path: list[str], query: dict[str, str]) -> Any:
        match path:
            case [_, parent, "notes"]:
                return {"data": [{"id": f"{parent}-1"}, {"id": f"{parent}-2"}]}
            case ["days"]:
                return {"data": [{"id": query["from"], "seen_on": query["from"]}]}
            case [name]:
                rows, size = self.rows[name], int(query.get("size", 60))
                first = int(query["offset"]) if "offset" in query else (int(query.get("page", 1)) - 1) * size
                return {"data": rows[first : first + size], "total": len(rows) + self.claims}
            case _:
                raise ValueError(path)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet: readers are killed in the midst of an answer."""


@contextmanager
def away_server() -> Iterator[AwayServer]:
    """Run a server for the time of a block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def do_GET(self) -> None:
            status, answer = server.reply(self.path)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    http = _Server(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = AwayServer(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
