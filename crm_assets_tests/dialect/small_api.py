"""A small API that knows nothing of the product: lists on loopback, paged in the ways that public APIs page them."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

Answer = tuple[int, dict[str, str], Any]


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    queries: dict[str, list[str]] = field(default_factory=dict)


class SmallApi(ThreadingHTTPServer):
    """Serves routes.

    Args:
        routes: By path. Each may have ``rows`` (records, or how many to make up), ``at`` (where the list is in the
            body), ``body`` (the whole answer instead), ``method``, ``status``, ``needs`` (query parameters, headers and
            body members that must be as given), ``since`` (a parameter and the field it bounds) and ``paging``.
    """

    daemon_threads = True

    def __init__(self, routes: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.routes = routes
        self.asked: list[Asked] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        """Address of the server, without a path."""
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> SmallApi:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def answer(self, asked: Asked) -> Answer:
        """Return status, headers and body of the answer to a request."""
        self.asked.append(asked)
        route = self.routes.get(asked.path)
        if route is None or route.get("method", "GET") != asked.method:
            return 404, {}, {"error": f"nothing at {asked.method} {asked.path}"}
        if missing := _missing(route.get("needs", {}), asked):
            return 401, {}, {"error": f"{missing} is missing or wrong"}
        if "status" in route:
            return route["status"], route.get("headers", {}), route.get("body", {"error": "as declared"})
        if "body" in route:
            return 200, route.get("headers", {}), route["body"]
        return _page(self.url, route, asked)


def _missing(needs: dict[str, dict[str, Any]], asked: Asked) -> str:
    query = {name: values if len(values) > 1 else values[0] for name, values in asked.queries.items()}
    headers = {name.lower(): value for name, value in asked.headers.items()}
    for name, value in needs.get("query", {}).items():
        if query.get(name) != (None if value is None else value):
            return f"parameter {name}"
    for name, value in needs.get("headers", {}).items():
        if headers.get(name.lower()) != value:
            return f"header {name}"
    for path, value in needs.get("body", {}).items():
        if _at(asked.body, path) != value:
            return f"member {path}"
    return ""


def _at(body: Any, path: str) -> Any:
    for key in path.split("."):
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _put(path: str, value: Any) -> Any:
    for key in reversed(path.split(".") if path else []):
        value = {key: value}
    return value


def _merged(one: Any, other: Any) -> Any:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one if other == {} else other
    return {**one, **{key: _merged(one.get(key), value) for key, value in other.items()}}


def _rows(route: dict[str, Any], asked: Asked) -> list[Any]:
    given = route.get("rows", 5)
    rows = given if isinstance(given, list) else [{"id": n, "name": f"row {n}"} for n in range(1, given + 1)]
    if since := route.get("since"):
        least = asked.query.get(since["param"]) or _at(asked.body, since["param"]) or ""
        rows = [row for row in rows if str(row[since["field"]]) >= str(least)]
    return rows


def _page(url: str, route: dict[str, Any], asked: Asked) -> Answer:
    rows, paging = _rows(route, asked), route.get("paging", {})
    size = _given(paging.get("size_param", ""), asked, paging) or paging.get("size", 2)
    if not paging:
        return 200, route.get("headers", {}), _merged(_put(route.get("at", ""), rows), route.get("beside", {}))
    size, start = int(size), _start(paging, asked, int(size))
    following = start + size
    headers, body = _named(url, paging, asked, following, following < len(rows), rows, start)
    facts = {
        "pages": -(-len(rows) // size),
        "records": len(rows),
        "more": following < len(rows),
        "more_text": str(following < len(rows)).lower(),
        "page": start // size + paging.get("base", 1),
    }
    for path, fact in paging.get("facts", {}).items():
        body = _merged(body, _put(path, facts[fact]))
    listed = _put(route.get("at", ""), rows[start:following])
    return 200, headers, listed if isinstance(listed, list) else _merged(_merged(listed, body), route.get("beside", {}))


def _given(name: str, asked: Asked, paging: dict[str, Any]) -> Any:
    if not name:
        return None
    return _at(asked.body, name) if paging.get("in") == "body" else asked.query.get(name)


def _start(paging: dict[str, Any], asked: Asked, size: int) -> int:
    given = _given(paging.get("param", ""), asked, paging)
    if given is None:
        return 0
    match paging["by"]:
        case "page":
            return max(int(given) - paging.get("base", 1), 0) * size
        case "offset" | "link" | "header_link":
            return int(given)
        case _:
            return int(base64.b64decode(str(given)).decode())


def _named(
    url: str, paging: dict[str, Any], asked: Asked, following: int, more: bool, rows: list[Any], start: int
) -> tuple[dict[str, str], Any]:
    """Return the headers and the members of the body that name the next page."""
    by, name = paging["by"], paging.get("name", "next")
    if by in ("page", "offset") or not (more or paging.get("always")):
        return {}, {}
    if by == "cursor" or by == "header_cursor":
        cursor = base64.b64encode(str(min(following, len(rows)) if more else start).encode()).decode()
        return ({}, _put(name, cursor)) if by == "cursor" else ({name: cursor}, {})
    target = following if more else (start if paging.get("always") == "same" else following)
    query = urlencode({**asked.query, paging["param"]: target})
    link = f"{'' if paging.get('relative') else url}{asked.path}?{query}"
    return ({}, _put(name, link)) if by == "link" else ({"Link": f'<{link}>; rel="{name}", <{url}/>; rel="last"'}, {})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SmallApi

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        form = "form" in (self.headers.get("Content-Type") or "")
        body = (dict(parse_qsl(sent.decode())) if form else json.loads(sent)) if sent else None
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        queries = parse_qs(parts.query, keep_blank_values=True)
        asked = Asked(self.command, parts.path, query, dict(self.headers.items()), body, queries)
        status, headers, answer = self.server.answer(asked)
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, _format: str, *_args: Any) -> None:
        """Keep quiet."""
