"""Requests as values: a page's address before credentials are put on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode

from crm_assets.date_range import DateRange
from crm_assets.declarations.models.auth import Auth
from crm_assets.declarations.models.base import deep_merge, fill, fill_url
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.endpoint import ResponseAction
from crm_assets.declarations.models.incremental import Incremental, Window
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.errors import ReadError, UnaddressableError
from crm_assets.extract.http.filter_values import values_of_increment, values_of_window


@dataclass(frozen=True)
class Request:
    """One request of a list."""

    method: str
    url: str
    params: dict[str, Any] = field(default_factory=dict)
    json: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of this request, beside those of every request of the connection."""
    auth: Auth | None = None
    """Authentication in place of the connection's."""
    actions: tuple[ResponseAction, ...] = ()
    """What follows answers of a certain kind."""
    anonymous: bool = False
    """Whether neither credentials nor headers of the connection are sent: the request goes to another host."""
    form: bool = False
    """Whether the body is sent as the fields of a form."""
    file: bool = False
    """Whether it downloads a file that an export job has made."""

    def given(self, location: Literal["query", "json"], name: str, value: Any) -> Request:
        """Return the request with a parameter set: in the query, or at a dotted path of the JSON body."""
        if location == "query":
            return replace(self, params={**self.params, name: value})
        nested: Any = value
        for segment in reversed(name.split(".")):
            nested = {segment: nested}
        body = deep_merge(self.json or {}, nested)
        return replace(self, json=body if isinstance(body, dict) else {})

    @property
    def form_body(self) -> bytes | None:
        """The body as the fields of a form, where it is sent as one."""
        return urlencode(self.json, doseq=True).encode() if self.form and self.json is not None else None

    def full_url(self) -> str:
        """Return the URL with its query."""
        pairs = [(key, item) for key, value in self.params.items() for item in _items(value)]
        if not pairs:
            return self.url
        return f"{self.url}{'&' if '?' in self.url else '?'}{urlencode(pairs)}"


def list_request(
    connection: Connection,
    resource: Resource,
    values: dict[str, object],
    dates: DateRange | None = None,
    since: datetime | None = None,
) -> Request:
    """Return the first request of a list, without paging parameters.

    Args:
        connection: Gives base URL, time zone and the parameters of every request.
        resource: The list.
        values: What fills the placeholders: the parent's key.
        dates: The window asked for, for resources that have one.
        since: The cursor's starting point.

    Raises:
        UnaddressableError: A parent's key cannot be part of an address.
    """
    endpoint, values = resource.endpoint, dict(values)
    filters: Window | Incremental | None = None
    if dates and resource.window:
        filters = resource.window
        values |= values_of_window(connection, resource, filters, dates)
    elif resource.incremental and (since or resource.incremental.initial_value is not None):
        filters = resource.incremental
        values |= values_of_increment(connection, resource, filters, since)
    try:
        path = fill_url(endpoint.path, values)
    except ValueError as error:
        raise UnaddressableError(f"its address cannot be built: {error}") from error
    params = {**connection.system.client.params, **endpoint.params, **(filters.params if filters else {})}
    body = deep_merge(endpoint.json_body, filters.json_body) if filters and filters.json_body else endpoint.json_body
    return Request(
        endpoint.method,
        f"{connection.base_url.rstrip('/')}/{path.lstrip('/')}" if path else connection.base_url,
        _as_mapping(fill(params, values)),
        None if body is None else _as_mapping(fill(body, values)),
        _headers(fill(endpoint.headers, values)),
        endpoint.auth,
        endpoint.response_actions,
        form=endpoint.body_format == "form",
    )


def _headers(filled: dict[str, object]) -> dict[str, str]:
    headers = {name: str(value) for name, value in filled.items()}
    for name, value in headers.items():
        if not value.isprintable():
            raise ReadError(f"the value of the header {name} cannot be sent")
    return headers


def _items(value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else item for item in values]


def _as_mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"expected a mapping, got {type(value).__name__}")
    return value
