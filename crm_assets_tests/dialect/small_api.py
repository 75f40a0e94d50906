"""A small API that knows nothing of the product: lists on loopback, paged in the ways that public APIs page them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from crm_assets_tests.loopback import Answer as Reply
from crm_assets_tests.loopback import Asked as Heard
from crm_assets_tests.loopback import loopback

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


class SmallApi:
    """Serves routes.

    Args:
        routes: By path. Each may have ``rows`` (records, or how many to make up), ``at`` (where the list is in the
            body), ``body`` (the whole answer instead), ``method``, ``status``, ``needs`` (query parameters, headers and
            body members that must be as given), ``since`` (a parameter and the field it bounds) and ``paging``.
    """

    def __init__(self, routes: dict[str, Any]) -> None:
        self.routes = routes
        self.asked: list[Asked] = []
        self.url = ""
        """Address of the server, without a path."""
        self._served = loopback(self._reply)

    def __enter__(self) -> SmallApi:
        self.url = self._served.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._served.__exit__(kind, error, trace)

    def _reply(self, heard: Heard) -> Reply:
        form = "form" in heard.headers.get("Content-Type", "")
        body = (dict(parse_qsl(heard.body.decode())) if form else json.loads(heard.body)) if heard.body else None
        queries = parse_qs(urlsplit(heard.target).query, keep_blank_values=True)
        status, headers, answer = self.answer(
            Asked(heard.method, heard.path, heard.query, heard.headers, body, queries)
        )
        return Reply(answer, status, headers)

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
