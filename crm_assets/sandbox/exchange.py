"""HTTP on both sides of the sandbox: requests read, JSON answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import Response

from crm_assets.sandbox.log import Logged


def segments_of(request: Request) -> list[str]:
    """Return the segments of the path, decoded one by one: a value may hold an encoded slash."""
    raw: bytes = request.scope["raw_path"]
    return [unquote(segment) for segment in raw.decode("ascii").strip("/").split("/")]


async def logged(request: Request) -> Logged:
    """Read a request into an entry of the log."""
    raw = await request.body()
    query: dict[str, Any] = {}
    for name, value in parse_qsl(request.url.query, keep_blank_values=True):
        query[name] = value if name not in query else [*_listed(query[name]), value]
    return Logged(request.method, request.url.path, query, dict(request.headers), _decoded(raw))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode(errors="replace")


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, dict(headers or {}), media_type="application/json")
