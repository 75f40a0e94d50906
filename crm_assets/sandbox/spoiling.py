"""Faults of the exchange: its status, its time, its body and its bytes."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from crm_assets.declarations.json_path import WILDCARD
from crm_assets.sandbox.answers import RefusedError
from crm_assets.sandbox.faults import Fault, Met


async def before_answer(met: Met, request: Request) -> Response | None:
    """Wait, refuse or redirect as the faults say.

    Raises:
        RefusedError: The answer is an error.
    """
    if delay := met.get("delay"):
        await asyncio.sleep(1.0 if delay.seconds is None else delay.seconds)
    if hang := met.get("hang"):
        await _hang(request, 600.0 if hang.seconds is None else hang.seconds)
    if fault := met.get("status"):
        raise RefusedError(fault.status or 500, "The sandbox was told to fail.", _retry_after(fault))
    if fault := met.get("redirect"):
        return Response(status_code=fault.status or 302, headers={"Location": elsewhere(str(request.url), fault)})
    return None


async def _hang(request: Request, seconds: float) -> None:
    left = seconds
    while left > 0 and not await request.is_disconnected():
        await asyncio.sleep(min(left, 0.05))
        left -= 0.05


def _retry_after(fault: Fault) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    if not fault.retry_after_date:
        return {"Retry-After": str(fault.retry_after)}
    # A date has whole seconds: rounding up keeps the promise of at least that long a wait.
    at = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=fault.retry_after + 1)
    return {"Retry-After": format_datetime(at, usegmt=True)}


def elsewhere(url: str, fault: Fault) -> str:
    """Return the URL on the fault's host."""
    parts = urlsplit(url)
    return parts._replace(netloc=fault.host or f"localhost:{parts.port or 80}").geturl()


def spoil_body(met: Met, selector: tuple[str, ...], body: Any) -> Any:
    """Return the body with the faults of its shape."""
    if fault := met.get("scalar"):
        return "maintenance" if fault.value is None else fault.value
    if "list_absent" not in met:
        return body
    keys = [segment for segment in selector if segment != WILDCARD]
    if not keys or not isinstance(body, dict):
        return {"message": "no list today"}
    inner = body
    for segment in selector[: selector.index(keys[-1])]:
        inner = inner[segment]
    inner.pop(keys[-1], None)
    return body


def spoil_response(met: Met, response: Response) -> Response:
    """Return the response with the faults of its bytes."""
    body, media_type = bytes(response.body), "application/json"
    if "html" in met:
        page = "<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
        return Response(page, media_type="text/html")
    if "truncated" in met:
        return Response(body[: len(body) // 2], media_type=media_type)
    return _Broken(body, media_type=media_type) if "reset" in met else response


class _Broken(Response):
    """An answer that promises its whole length and ends half-way, which makes the server close the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the protocol's names
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
