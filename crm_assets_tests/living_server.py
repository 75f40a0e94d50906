"""A loopback server of lists that move while they are read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from crm_assets.extract.http.request import Request
from crm_assets_tests.extract.moving_list import WAYS, MovingList


class LivingServer:
    """The running server; it answers for one list at a time.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.list = MovingList("empty", 0)
        self.lock = threading.Lock()


@contextmanager
def living_server() -> Iterator[LivingServer]:
    """Run a server for the time of a block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            with server.lock:
                body = json.dumps(server.list.serve(Request("GET", self.path, dict(parse_qsl(parts.query))))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = LivingServer(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def living_system(size: int) -> dict[str, Any]:
    """Return the declaration of one resource for each way to page.

    Args:
        size: Records of a page.
    """
    columns = {"id": {"type": "bigint", "nullable": False}}
    resources = [
        {
            "name": way,
            "primary_key": "id",
            "columns": columns,
            "endpoint": {
                "path": "/things",
                "data_selector": "data",
                "paginator": {**paginator, "limit_param": "size", "limit": size},
            },
        }
        for way, paginator in WAYS.items()
    ]
    return {
        "title": "Living lists",
        "client": {"base_url": "https://living.example", "auth": {"type": "bearer"}},
        "resources": resources,
    }
