"""Read requests by turning the declared templates around: what was filled in for their placeholders?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from crm_assets.declarations import Resource
from crm_assets.declarations.models.base import PLACEHOLDER, placeholders
from crm_assets.declarations.models.incremental import Incremental, TimeFormat, Window, names_days
from crm_assets.sandbox.errors import RefusedError
from crm_assets.sandbox.times import EPOCH, is_date, midnight, read_instant


class MismatchError(Exception):
    """A value that the template cannot have produced."""


def unfill(template: Any, value: Any, partial: bool = False) -> dict[str, Any]:
    """Return the values of a template's placeholders that produced ``value``.

    Args:
        template: Text, number or nested lists and mappings of them; the inverse of ``declarations.models.base.fill``.
        value: What arrived. Mappings may hold more than the template.
        partial: Whether keys of the template may be missing in the value.

    Raises:
        MismatchError: The template cannot have produced it.
    """
    if isinstance(template, dict):
        return _unfill_mapping(template, value, partial)
    if isinstance(template, (list, tuple)):
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or len(value) != len(template):
            raise MismatchError
        return {k: v for each, one in zip(template, value, strict=True) for k, v in unfill(each, one, partial).items()}
    if isinstance(template, str) and (whole := PLACEHOLDER.fullmatch(template)):
        return {whole[1]: value}
    if isinstance(template, str) and (found := re.fullmatch(_pattern(template), str(value), re.DOTALL)):
        return dict(zip(placeholders(template), found.groups(), strict=True))
    # In a query a truth value is a word, and clients disagree on its capital letter.
    same = str(value).lower() == str(template).lower() if isinstance(template, bool) else str(value) == str(template)
    if not same:
        raise MismatchError
    return {}


def _unfill_mapping(template: dict[str, Any], value: Any, partial: bool) -> dict[str, Any]:
    template = {key: each for key, each in template.items() if each is not None}
    if not isinstance(value, Mapping) or (not partial and set(template) - set(value)):
        raise MismatchError
    found = [unfill(each, value[key], partial) for key, each in template.items() if key in value]
    return {name: one for part in found for name, one in part.items()}


def _pattern(template: str) -> str:
    parts = PLACEHOLDER.split(template)
    return "".join(re.escape(part) if i % 2 == 0 else "(.+?)" for i, part in enumerate(parts))


class Bounds(NamedTuple):
    """The span of time a request asks for; the end is exclusive. Both ``None``: no filter."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether the request asks for everything."""
        return self.start is None and self.end is None


UNBOUNDED = Bounds()


def requested_bounds(resource: Resource, zone: ZoneInfo, query: Mapping[str, Any], body: Any) -> Bounds:
    """Return the span of time a request asks for.

    Args:
        resource: Whose window or cursor the request may fill.
        zone: Time zone of values without an offset.
        query: Query parameters.
        body: Decoded JSON body, if any.

    Raises:
        RefusedError: A filter's value is not of the declared format (400).
    """
    part = resource.window or resource.incremental
    if part is None:
        return UNBOUNDED
    try:
        found = _filled(part, query, body)
        # Bounds an API demands of every request are part of the endpoint: sent unchanged, they ask for everything.
        demanded = _filled(part, resource.endpoint.params, resource.endpoint.json_body)
        found = {name: value for name, value in found.items() if str(demanded.get(name)) != str(value)}
        inclusive = resource.window is None or resource.window.end == "inclusive"
        start = _instant(found.get("window_start", found.get("incremental.start_value")), part.format, zone)
        return Bounds(start, _instant(found.get("window_end"), part.format, zone, inclusive))
    except (MismatchError, ValueError, OverflowError):
        raise RefusedError(400, f"The date filter of {resource.name} is not in the format {part.format}.") from None


def _filled(part: Window | Incremental, query: Mapping[str, Any], body: Any) -> dict[str, Any]:
    found = unfill(part.params, query, partial=True)
    return found | unfill(part.json_body or {}, body if isinstance(body, dict) else {}, partial=True)


def _instant(value: Any, form: TimeFormat, zone: ZoneInfo, after: bool = False) -> datetime | None:
    """Return the instant of a filter value; ``after`` the first one behind the day, second or millisecond it names."""
    if value is None:
        return None
    text = str(value).strip()
    if form in ("epoch_s", "epoch_ms"):
        unit = timedelta(seconds=1) if form == "epoch_s" else timedelta(milliseconds=1)
        return EPOCH + (int(text) + after) * unit
    if form == "date":
        text = date.fromisoformat(text).isoformat()
    elif "%" in form:
        text = datetime.strptime(text, form).isoformat()  # noqa: DTZ007 - read as of the zone below
    instant = read_instant(text, zone)
    if names_days(form) or is_date(text):
        return midnight(instant.astimezone(zone).date() + timedelta(days=after), zone)
    return instant + timedelta(milliseconds=after)
