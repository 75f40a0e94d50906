"""HTTP on both sides of the sandbox: requests read, JSON answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import Response


def path_segments(request: Request) -> list[str]:
    """Return the segments of the path, decoded one by one: a value may contain an encoded slash."""
    raw: bytes = request.scope["raw_path"]
    return [unquote(segment) for segment in raw.decode("ascii").strip("/").split("/")]


def query_of(request: Request) -> dict[str, Any]:
    """Return the query parameters; one given more than once is a list."""
    query: dict[str, Any] = {}
    for name, value in parse_qsl(request.url.query, keep_blank_values=True):
        before = query.get(name, [])
        query[name] = value if name not in query else [*(before if isinstance(before, list) else [before]), value]
    return query


async def json_body(request: Request) -> Any:
    """Return the decoded JSON body, else the text, else ``None``."""
    raw = await request.body()
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode(errors="replace")


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, dict(headers or {}), media_type="application/json")
