"""Faults applied to a page: its rows, its records, its body and its bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from crm_assets.sandbox.answers import RefusedError
from crm_assets.sandbox.faults import Fault, Met
from crm_assets.sandbox.wire import place
from crm_assets.spec import ColumnType, Resource
from crm_assets.spec.paths import WILDCARD, dig

_LONG = 4_073_197_535_330_103_116_606_750_064_146
_ODD_FIELDS = {"Company Name (old)": "Stone", "Größe": 3, "😀 mood": "good", "a.b": True, "1st": None, "select": "*"}
_MISFITS: dict[ColumnType, Any] = {
    ColumnType.TEXT: {"text": "an object"},
    ColumnType.BIGINT: "many",
    ColumnType.DOUBLE: "a lot",
    ColumnType.DECIMAL: "priceless",
    ColumnType.BOOL: "perhaps",
    ColumnType.TIMESTAMP: "yesterday",
    ColumnType.DATE: "some day",
}


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


def shift(met: Met) -> int:
    """Return by how many rows the list has moved under the reader: down when negative."""
    return ("deleted" in met) - ("inserted" in met)


def spoil_records(met: Met, resource: Resource, key: str | None, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records with the faults of their content."""
    if "empty_page" in met:
        return []
    for fault in met.faults:
        spoiler = _SPOILERS.get(fault.kind)
        if spoiler:
            spoiler(fault, resource, key, records)
    return [_without_nulls(record) for record in records] if "nulls_absent" in met else records


def _null_id(_: Fault, resource: Resource, key: str | None, records: list[dict[str, Any]]) -> None:
    if key and records:
        place(records[0], resource.columns[key].wire_path(key), None)


def _long_ids(_: Fault, resource: Resource, key: str | None, records: list[dict[str, Any]]) -> None:
    for record in records if key else []:
        path = resource.columns[key or ""].wire_path(key or "")
        digits = "".join(filter(str.isdigit, str(dig(record, path))))
        place(record, path, _LONG + int(digits or 0))


def _wrong_type(fault: Fault, resource: Resource, _: str | None, records: list[dict[str, Any]]) -> None:
    fitting = [name for name, column in resource.columns.items() if not column.placeholder and column.type in _MISFITS]
    name = fault.field or next(each for each in fitting if each not in resource.primary_key)
    column = resource.columns[name]
    if records:
        misfit = fault.value if fault.value is not None else _MISFITS.get(column.type, "no object")
        place(records[0], column.wire_path(name), misfit)


def _unknown_field(fault: Fault, _: Resource, __: str | None, records: list[dict[str, Any]]) -> None:
    for record in records:
        record[fault.field or "brand_new"] = fault.value if fault.value is not None else {"since": "today"}


def _twin_field(fault: Fault, resource: Resource, key: str | None, records: list[dict[str, Any]]) -> None:
    name = fault.field or ("name" if "name" in resource.columns else key or next(iter(resource.columns)))
    path = resource.columns[name].wire_path(name)
    twin = path[-1].capitalize() if path[-1].capitalize() != path[-1] else path[-1].lower()
    for record in records:
        place(record, (*path[:-1], twin), "twin")


def _odd_fields(_: Fault, __: Resource, ___: str | None, records: list[dict[str, Any]]) -> None:
    for record in records:
        record.update(_ODD_FIELDS)


_SPOILERS: dict[str, Callable[[Fault, Resource, str | None, list[dict[str, Any]]], None]] = {
    "null_id": _null_id,
    "long_ids": _long_ids,
    "wrong_type": _wrong_type,
    "unknown_field": _unknown_field,
    "twin_field": _twin_field,
    "odd_fields": _odd_fields,
}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


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
