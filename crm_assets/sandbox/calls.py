"""Requests: what they carry, which list they ask for and what they fill into its declared templates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from crm_assets.declarations import Connection, Resource
from crm_assets.declarations.json_path import dig, parse_path
from crm_assets.declarations.models.base import deep_merge
from crm_assets.declarations.models.endpoint import Endpoint
from crm_assets.sandbox.templates import unfill


@dataclass(frozen=True)
class Call:
    """A request, read without knowing which list it asks for."""

    request: Request
    connection: str
    path: list[str]
    """Segments of the path below the connection's name."""
    query: Mapping[str, Any]
    """Query parameters; one given more than once is a list."""
    body: Any
    """Decoded JSON body, fields of a form, else its text, else ``None``."""

    @classmethod
    async def read(cls, request: Request) -> Call:
        """Read a request."""
        # Decoded segment by segment: a value may contain an encoded slash.
        connection, *path = map(unquote, request.scope["raw_path"].decode("ascii").strip("/").split("/"))
        several = {name: request.query_params.getlist(name) for name in request.query_params}
        query = {name: values if len(values) > 1 else values[0] for name, values in several.items()}
        body: Any = (await request.body()).decode(errors="replace")
        try:
            body = json.loads(body or "null")
        except ValueError:
            if request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
                body = dict(parse_qsl(body, keep_blank_values=True))
        return cls(request, connection, path, query, body)

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
        return str(self.request.url.include_query_params(**{name: value}))


def find_resource(connection: Connection, call: Call) -> tuple[Resource, dict[str, Any]]:
    """Return the resource a request asks for and the values it gives the endpoint's placeholders.

    Raises:
        HTTPException: No such path (404), not with this method (405), or without a declared parameter (400).
    """
    resources = connection.system.resources
    at_path = [each for each in resources if values_of_path(each.endpoint.path, call) is not None]
    if not at_path:
        raise HTTPException(404, f"Nothing is served at /{'/'.join(call.path)}.")
    matches = [each for each in at_path if each.endpoint.method == call.request.method]
    if not matches:
        raise HTTPException(405, f"Use {at_path[0].endpoint.method} here.")
    values = [(each, sent) for each in matches if (sent := _values(connection, each, call)) is not None]
    if not values:
        raise HTTPException(400, "A parameter that every request needs is missing or wrong.")
    return max(values, key=lambda match: _exactness(match[0].endpoint))


def values_of_path(template: str, call: Call) -> dict[str, Any] | None:
    """Return the values of the placeholders of a path that was asked for; ``None`` for another path."""
    with suppress(ValueError):
        return unfill([*filter(None, template.split("/"))], call.path)
    return None


def _values(connection: Connection, resource: Resource, call: Call) -> dict[str, Any] | None:
    """Return what a request fills into the templates of a resource, with or without those of its date filter."""
    endpoint, part = resource.endpoint, resource.window or resource.incremental
    params, body = {**connection.system.client.params, **endpoint.params}, endpoint.json_body or {}
    templates = [(params, body)]
    if part:
        templates.append(({**params, **part.params}, deep_merge(body, part.json_body or {})))
    for params, body in templates:
        with suppress(ValueError):
            sent = unfill([params, body], [call.query, call.body if body else {}])
            return {**(values_of_path(endpoint.path, call) or {}), **sent}
    return None


def _exactness(endpoint: Endpoint) -> int:
    """Prefer the path with fewer placeholders and the list with more declared parameters."""
    return len(str(endpoint.params)) + len(str(endpoint.json_body or "")) - 1000 * endpoint.path.count("{")
