"""Requests: what they carry, which list they ask for and what they fill into its declared templates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request

from crm_assets.declarations import Connection, Resource
from crm_assets.declarations.json_path import dig, parse_path
from crm_assets.declarations.models.base import deep_merge
from crm_assets.sandbox.templates import MismatchError, unfill


@dataclass(frozen=True)
class Call:
    """A request, read without knowing which list it asks for."""

    method: str
    connection: str
    path: tuple[str, ...]
    """Segments of the path below the connection's name."""
    query: Mapping[str, Any]
    """Query parameters; one given more than once is a list."""
    body: Any
    """Decoded JSON body, fields of a form, else its text, else ``None``."""
    url: str
    """Address without the query."""

    @classmethod
    async def read(cls, request: Request) -> Call:
        """Read a request."""
        # Decoded segment by segment: a value may contain an encoded slash.
        raw: bytes = request.scope["raw_path"]
        connection, *path = [unquote(segment) for segment in raw.decode("ascii").strip("/").split("/")]
        several = {name: request.query_params.getlist(name) for name in request.query_params}
        query = {name: values if len(values) > 1 else values[0] for name, values in several.items()}
        body = _body(await request.body(), request.headers.get("Content-Type", ""))
        return cls(request.method, connection, tuple(path), query, body, str(request.url.replace(query="")))

    def value(self, name: str, location: str = "query") -> Any:
        """Return a parameter from the query, or from its path in the JSON body."""
        return dig(self.body, parse_path(name)) if location == "json" else self.query.get(name)

    def count(self, name: str, location: str, least: int) -> int:
        """Return a parameter that must be a whole number of at least ``least``.

        Raises:
            HTTPException: It is missing or no such number (400).
        """
        value = self.value(name, location)
        text = str(value)
        if isinstance(value, bool) or not text.isdecimal() or int(text) < least:
            shown = "it is missing" if value is None else f"got {text[:40]!r}"
            raise HTTPException(400, f"{name} must be a whole number of at least {least}; {shown}.")
        return int(text)

    def link(self, name: str, value: int) -> str:
        """Return the address of the same request with another value of a parameter."""
        return f"{self.url}?{urlencode({**self.query, name: value}, doseq=True)}"


def _body(sent: bytes, content_type: str) -> Any:
    """Return a body's value: JSON, the fields of a form, else its text."""
    text = sent.decode(errors="replace")
    with suppress(ValueError):
        return json.loads(text) if text else None
    is_form = content_type.startswith("application/x-www-form-urlencoded")
    return dict(parse_qsl(text, keep_blank_values=True)) if is_form else text


def find_resource(connection: Connection, call: Call) -> tuple[Resource, dict[str, Any]]:
    """Return the resource a request asks for and the values it gives the endpoint's placeholders.

    Raises:
        HTTPException: No such path (404), not with this method (405), or without a declared parameter (400).
    """
    at_path = [
        (resource, values)
        for resource in connection.system.resources
        if (values := values_of_path(resource.endpoint.path, call.path)) is not None
    ]
    if not at_path:
        raise HTTPException(404, f"Nothing is served at /{'/'.join(call.path)}.")
    if all(resource.endpoint.method != call.method for resource, _ in at_path):
        raise HTTPException(405, f"Use {at_path[0][0].endpoint.method} here.")
    matches = [
        (resource, {**values, **parameters})
        for resource, values in at_path
        if resource.endpoint.method == call.method
        if (parameters := _request_parameters(connection, resource, call)) is not None
    ]
    if not matches:
        raise HTTPException(400, "A parameter that every request needs is missing or wrong.")
    return max(matches, key=lambda match: _exactness(match[0]))


def values_of_path(template: str, path: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the values of the placeholders of a path that was asked for; ``None`` for another path."""
    return _values_of([*filter(None, template.split("/"))], [*path])


def _request_parameters(connection: Connection, resource: Resource, call: Call) -> dict[str, Any] | None:
    """Return what a request fills into the templates of a resource, with or without those of its date filter."""
    endpoint, part = resource.endpoint, resource.window or resource.incremental
    params, body = {**connection.system.client.params, **endpoint.params}, endpoint.json_body or {}
    values = _values_of([params, body], [call.query, call.body if body else {}])
    if values is None and part:
        filtered = [{**params, **part.params}, deep_merge(body, part.json_body or {})]
        values = _values_of(filtered, [call.query, call.body if filtered[1] else {}])
    return values


def _values_of(templates: list[Any], values: list[Any]) -> dict[str, Any] | None:
    try:
        return unfill(templates, values)
    except MismatchError:
        return None


def _exactness(resource: Resource) -> int:
    """Prefer the path with fewer placeholders and the resource with more declared parameters."""
    endpoint = resource.endpoint
    return len(str(endpoint.params)) + len(str(endpoint.json_body or "")) - 1000 * endpoint.path.count("{")
