"""Faults of the exchange: its status, its time, its body and its bytes."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from crm_assets.declarations.json_path import WILDCARD, dig, place
from crm_assets.declarations.models.paginator import JsonLink
from crm_assets.sandbox.bodies import list_path
from crm_assets.sandbox.paging import PageRequest
from crm_assets_tests.faults.fault import ActiveFaults, Fault, FaultKind
from crm_assets_tests.faults.records import CHANGES, change_records, keyed, record_lists

_OF_THE_BODY: tuple[FaultKind, ...] = ("empty_page", "list_keyed", "foreign_link", "list_absent", "scalar", *CHANGES)


async def before_answer(faults: ActiveFaults, request: Request) -> Response | None:
    """Wait, refuse or redirect as the faults say.

    Raises:
        HTTPException: The answer is an error.
    """
    if delay := faults.get("delay"):
        await asyncio.sleep(1.0 if delay.seconds is None else delay.seconds)
    if hang := faults.get("hang"):
        await _hang(request, 600.0 if hang.seconds is None else hang.seconds)
    if fault := faults.get("status"):
        raise HTTPException(fault.status or 500, "The sandbox was told to fail.", _retry_after(fault))
    if fault := faults.get("redirect"):
        return Response(status_code=fault.status or 302, headers={"Location": _elsewhere(str(request.url), fault)})
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


def _elsewhere(url: str, fault: Fault) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=fault.host or f"localhost:{parts.port or 80}").geturl()


def with_faults(faults: ActiveFaults, page: PageRequest, response: Response) -> Response:
    """Return the response with the faults of its records, its body and its bytes."""
    if any(kind in faults for kind in _OF_THE_BODY):
        body = _changed_body(faults, page, json.loads(bytes(response.body)))
        response = JSONResponse(body, response.status_code)
    content, media_type = bytes(response.body), "application/json"
    if "html" in faults:
        html = "<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
        return Response(html, media_type="text/html")
    if "truncated" in faults:
        return Response(content[: len(content) // 2], media_type=media_type)
    return _Broken(content, media_type=media_type) if "reset" in faults else response


def _changed_body(faults: ActiveFaults, page: PageRequest, body: Any) -> Any:
    selector, paginator = list_path(page.resource.endpoint), page.resource.endpoint.paginator
    change_records(faults, page, body)
    if "empty_page" in faults:
        for records in record_lists(body, selector):
            records.clear()
    if "list_keyed" in faults:
        body = keyed(body, selector, page.start + 1)
    fault = faults.get("foreign_link")
    if fault and isinstance(paginator, JsonLink) and (link := dig(body, paginator.next_url_path)):
        place(body, paginator.next_url_path, _elsewhere(link, fault))
    if "list_absent" in faults:
        body = _without_list(body, selector)
    if fault := faults.get("scalar"):
        return "maintenance" if fault.value is None else fault.value
    return body


def _without_list(body: Any, selector: tuple[str, ...]) -> Any:
    keys = [segment for segment in selector if segment != WILDCARD]
    if not keys or not isinstance(body, dict):
        return {"message": "no list today"}
    dig(body, selector[: selector.index(keys[-1])]).pop(keys[-1], None)
    return body


class _Broken(Response):
    """An answer that promises its whole length and ends half-way, which makes the server close the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
