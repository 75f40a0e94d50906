"""Date filters: the span of time that a request asks for."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException

from crm_assets.declarations import Resource
from crm_assets.declarations.models.columns import MICROSECONDS
from crm_assets.declarations.models.incremental import TimeFormat, names_days
from crm_assets.sandbox.calls import Call
from crm_assets.sandbox.templates import unfill
from crm_assets.sandbox.times import EPOCH, Span, midnight, read_instant

_ALWAYS = Span(datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc))


def requested_span(resource: Resource, zone: ZoneInfo, call: Call) -> Span | None:
    """Return the span of time that a request for a resource asks for, or ``None`` where it filters nothing.

    Values without an offset are in that time zone.

    Raises:
        HTTPException: A filter's value is not of the declared format (400).
    """
    part, endpoint = resource.window or resource.incremental, resource.endpoint
    if part is None:
        return None
    templates = [part.params, part.json_body or {}]
    try:
        sent = unfill(templates, [call.query, call.body if isinstance(call.body, dict) else {}], partial=True)
        # Bounds an API demands of every request are part of the endpoint: sent unchanged, they ask for everything.
        demanded = unfill(templates, [endpoint.params, endpoint.json_body or {}], partial=True)
        sent = {name: value for name, value in sent.items() if str(demanded.get(name)) != str(value)}
        inclusive = resource.window is None or resource.window.end == "inclusive"
        start = _instant(sent.get("window_start", sent.get("incremental.start_value")), part.format, zone)
        end = _instant(sent.get("window_end"), part.format, zone, inclusive)
        return Span(start or _ALWAYS.start, end or _ALWAYS.end) if start or end else None
    except (ValueError, OverflowError):
        raise HTTPException(400, f"The date filter of {resource.name} is not in the format {part.format}.") from None


def _instant(value: Any, form: TimeFormat, zone: ZoneInfo, after: bool = False) -> datetime | None:
    """Return the instant of a filter value; ``after`` the first one behind the day, second or millisecond it names."""
    if value is None:
        return None
    text, pattern = str(value).strip(), "%Y-%m-%d" if form == "date" else form
    if form in MICROSECONDS:
        return EPOCH + (int(text) + after) * timedelta(microseconds=MICROSECONDS[form])
    if "%" in pattern:
        text = datetime.strptime(text, pattern).isoformat()  # noqa: DTZ007 - read as of the zone below
    instant = read_instant(text, zone)
    if names_days(form) or len(text) == len("2026-01-01"):
        return midnight(instant.astimezone(zone).date() + timedelta(days=after), zone)
    return instant + timedelta(milliseconds=after)
