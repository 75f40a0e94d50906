"""Requests held against declarations: which list they ask for, for which span of time, and with what values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException

from crm_assets.declarations import Connection, Endpoint, Resource
from crm_assets.declarations.models.base import PLACEHOLDER, deep_merge
from crm_assets.declarations.models.columns import MICROSECONDS
from crm_assets.declarations.models.incremental import Incremental, TimeFormat, Window, names_days
from crm_assets.sandbox.calls import Call
from crm_assets.sandbox.times import EPOCH, Span, midnight, read_instant

_ALWAYS = Span(datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc))


def find_resource(connection: Connection, call: Call) -> tuple[Resource, dict[str, Any]]:
    """Return the resource a request asks for and the values it gives the endpoint's placeholders.

    Raises:
        HTTPException: No such path (404), not with this method (405), or without a declared parameter (400).
    """
    at_path = [each for each in connection.system.resources if _filled(_path_of(each), call) is not None]
    if not at_path:
        raise HTTPException(404, f"Nothing is served at /{'/'.join(call.path)}.")
    matches = [each for each in at_path if each.endpoint.method == call.request.method]
    if not matches:
        raise HTTPException(405, f"Use {at_path[0].endpoint.method} here.")
    found = [(each, _filled(template, call)) for each in matches for template in _templates(connection, each)]
    values = [(each, sent) for each, sent in found if sent is not None]
    if not values:
        raise HTTPException(400, "A parameter that every request needs is missing or wrong.")
    # The path with the fewest placeholders, and of its lists the one with the most declared parameters.
    return max(values, key=lambda each: len(str(_template(each[0].endpoint))) - 1000 * each[0].endpoint.path.count("{"))


def requested_span(resource: Resource, zone: ZoneInfo, call: Call) -> Span | None:
    """Return the span of time that a request for a resource asks for, or ``None`` where it filters nothing.

    Values without an offset are in that time zone.

    Raises:
        HTTPException: A filter's value is not of the declared format (400).
    """
    part = resource.window or resource.incremental
    if part is None:
        return None
    try:
        sent = unfill(_template(part), call.sent, partial=True)
        # Bounds an API demands of every request are part of the endpoint: sent unchanged, they ask for everything.
        demanded = unfill(_template(part), _template(resource.endpoint), partial=True)
        sent = {name: value for name, value in sent.items() if str(demanded.get(name)) != str(value)}
        inclusive = resource.window is None or resource.window.end == "inclusive"
        start = _instant(sent.get("window_start", sent.get("incremental.start_value")), part.format, zone)
        end = _instant(sent.get("window_end"), part.format, zone, inclusive)
        return Span(start or _ALWAYS.start, end or _ALWAYS.end) if start or end else None
    except (ValueError, OverflowError):
        raise HTTPException(400, f"The date filter of {resource.name} is not in the format {part.format}.") from None


def _filled(template: dict[str, Any], call: Call) -> dict[str, Any] | None:
    with suppress(ValueError):
        return unfill(template, call.sent)
    return None


def _path_of(resource: Resource) -> dict[str, Any]:
    return {"path": [*filter(None, resource.endpoint.path.split("/"))]}


def _templates(connection: Connection, resource: Resource) -> Iterator[dict[str, Any]]:
    """Yield what requests for a resource are made of: without its date filter, and with it."""
    part = resource.window or resource.incremental
    plain = deep_merge({"params": connection.system.client.params, **_path_of(resource)}, _template(resource.endpoint))
    yield plain
    if part:
        yield deep_merge(plain, _template(part))


def _template(part: Endpoint | Window | Incremental) -> dict[str, Any]:
    return {"params": part.params, "json": part.json_body or {}}


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


def unfill(template: Any, value: Any, partial: bool = False) -> dict[str, Any]:
    """Return the values of a template's placeholders that produced ``value``.

    Args:
        template: Text, number or nested lists and mappings of them; the inverse of ``declarations.models.base.fill``.
        value: What arrived. Mappings may hold more than the template.
        partial: Whether keys of the template may be missing in the value.

    Raises:
        ValueError: The template cannot have produced it.
    """
    if isinstance(template, dict) and isinstance(value, Mapping):
        keys = [key for key, each in template.items() if each is not None and (key in value or not partial)]
        template, value = [template[key] for key in keys], [value[key] for key in keys if key in value]
    if isinstance(template, (list, tuple)):
        pairs = zip(template, value if isinstance(value, list) else [value], strict=True)
        return {name: found for pair in pairs for name, found in unfill(*pair, partial).items()}
    texts, names = PLACEHOLDER.split(str(template))[::2], PLACEHOLDER.findall(str(template))
    if texts == ["", ""]:
        return {names[0]: value}
    # In a query a truth value is a word, and clients disagree on its capital letter.
    flags = re.DOTALL if isinstance(template, str) else re.IGNORECASE
    match = re.fullmatch("(.+?)".join(map(re.escape, texts)), str(value), flags)
    if match is None or isinstance(template, dict):
        raise ValueError(f"{value!r} is not made of {template!r}")
    return dict(zip(names, match.groups(), strict=True))
