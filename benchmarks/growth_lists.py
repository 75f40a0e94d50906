"""The lists of ``growth.py``: what they are declared as, and a server of the records that change in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

CHANGED, OWNERS = 1000, 100
"""Records of every read, and the parents that have a list each."""
TEXTS = [f"text_{number}" for number in range(10)]
_SINCE = {
    "field": "updated_at",
    "params": {"since": "{incremental.start_value}"},
    "format": "iso",
    "lookback": "0s",
}
_DAY = {"field": "updated_at", "params": {"from": "{window_start}"}, "lookback_days": 0}
_NARROW = {"id": "bigint", "updated_at": "timestamp", "amount": "double"}


def _list(name: str, columns: dict[str, Any], path: str = "", **further: Any) -> dict[str, Any]:
    return {
        "name": name,
        "primary_key": "id",
        "write_disposition": "merge",
        "endpoint": {"path": path or f"/{name}", "data_selector": "items", "paginator": "single_page"},
        "columns": columns,
        **further,
    }


SYSTEM = {
    "title": "Growth",
    "client": {"base_url": "http://127.0.0.1/"},
    "resources": [
        _list("owners", {"id": "bigint"}),
        _list("records", _NARROW | dict.fromkeys(TEXTS, "text"), incremental=_SINCE),
        _list("named", _NARROW | {"owner_id": {"type": "bigint", "references": "owners"}}, incremental=_SINCE),
        _list("versions", _NARROW, incremental=_SINCE, history=True),
        _list("found", _NARROW, incremental=_SINCE, undeclared_fields="columns"),
        _list(
            "per_owner",
            _NARROW | {"owner_id": {"type": "bigint", "source": "{owner_id}"}},
            path="/owners/{owner_id}/things",
            incremental=_SINCE,
        ),
        _list("days", _NARROW, window=_DAY, history=True),
    ],
}
"""Wide rows; values that name rows of another table; versions; columns of undeclared fields; a list per parent; windows
with versions."""


def _item(key: int, number: int, path: str) -> dict[str, Any]:
    now = datetime.now(timezone.utc) - timedelta(seconds=1)
    item = {"id": key, "updated_at": now.isoformat(), "amount": number + key / 7}
    match path:
        case "/records":
            return item | {name: f"{name} of {key} in read {number}" for name in TEXTS}
        case "/named":
            return item | {"owner_id": key % OWNERS}
        case "/found":
            return item | {"serial": key * 1000}
        case "/owners":
            return {"id": key}
        case _:
            return item


def _items(path: str, number: int) -> list[dict[str, Any]]:
    if path == "/owners":
        return [_item(key, number, path) for key in range(OWNERS)]
    if path.startswith("/owners/"):
        owner, each = int(path.split("/")[2]), CHANGED // OWNERS
        return [_item(key, number, path) for key in range(owner * each, (owner + 1) * each)]
    return [_item(key, number, path) for key in range(CHANGED)]


@contextmanager
def server() -> Iterator[str]:
    """Serve the changed records: the first thousand keys, changed a moment ago."""
    turn = iter(range(1_000_000_000))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = json.dumps({"items": _items(self.path.partition("?")[0], next(turn))}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
