"""A CRM that knows nothing of the product: OAuth or a key, pages by Link and last record, local times, one object."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PEOPLE = [
    {
        "id": n,
        "fullName": f"Person {n}",
        "contact": {"email": f"p{n}@mail.test", "phone": None if n % 3 else f"+49 30 {n}"},
        "active": n % 2 == 0,
        "updated_at": f"2026-03-{n:02d}T10:00:00Z",
        "tags": ["a", "b"],
        "fax": None,
    }
    for n in range(1, 26)
]
DEALS = [
    {"deal_id": f"d{n:03d}", "amount": n + 0.5, "created": f"2026-03-{n:02d} 08:30:00", "customFields": {"Tier": n % 3}}
    for n in range(1, 14)
]
ACCOUNT = {"id": 7, "company": "Plain Ltd", "plan": "pro"}
STAGES = [{"code": "new", "title": "New"}, {"code": "won", "title": "Won"}]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        right = form.get("client_secret") == ["s3cret-value"]
        self._send(200 if right else 401, {"access_token": "tok-1", "expires_in": 3600} if right else {"error": "no"})

    def do_GET(self) -> None:
        if self.headers.get("X-Auth") != "k3y-value" and self.headers.get("Authorization") != "Bearer tok-1":
            return self._send(401, {"error": "unauthorized"})
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        match url.path:
            case "/v2":
                base = f"http://127.0.0.1:{self.server.server_port}/v2"  # type: ignore[attr-defined]
                return self._send(200, {name: f"{base}/{name}" for name in ("people", "deals", "account", "stages")})
            case "/v2/people":
                return self._people(query)
            case "/v2/deals":
                return self._deals(query)
            case "/v2/account":
                return self._send(200, ACCOUNT)
            case "/v2/stages":
                return self._send(200, {"total": len(STAGES), "items": STAGES})
        return self._send(404, {"error": "nothing here"})

    def _people(self, query: dict[str, str]) -> None:
        rows = [one for one in PEOPLE if str(one["updated_at"]) >= query.get("updated_since", "")]
        page = int(query.get("p", "1"))
        headers = {"X-RateLimit-Limit": "600"}
        if page * 10 < len(rows):
            since = f"&updated_since={query['updated_since']}" if "updated_since" in query else ""
            headers["Link"] = f'</v2/people?p={page + 1}{since}>; rel="next"'
        self._send(200, rows[page * 10 - 10 : page * 10], headers)

    def _deals(self, query: dict[str, str]) -> None:
        rows = [one for one in DEALS if str(one["deal_id"]) > query.get("starting_after", "")]
        self._send(200, {"deals": rows[:5], "has_more": len(rows) > 5})

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def plain_crm() -> Iterator[tuple[str, list[str]]]:
    """Serve it; gives the address and the paths that were asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v2", server.asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
