"""Find the resource a request asks for, and what it fills into the declared templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crm_assets.declarations import Connection, Resource
from crm_assets.declarations.models.base import deep_merge
from crm_assets.sandbox.errors import RefusedError
from crm_assets.sandbox.filters import MismatchError, unfill


@dataclass(frozen=True)
class Call:
    """A request as far as it is read without knowing the resource."""

    method: str
    path: list[str]
    """Segments of the path below the connection's name."""
    query: Mapping[str, Any]
    body: Any
    """Decoded JSON body, or ``None``."""


def find_resource(connection: Connection, call: Call) -> tuple[Resource, dict[str, Any]]:
    """Return the resource a request asks for and the values it gives the endpoint's placeholders.

    Raises:
        RefusedError: No such path (404), not with this method (405), or without a declared parameter (400).
    """
    at_path = [(each, bound) for each in connection.system.resources if (bound := _path(each, call)) is not None]
    if not at_path:
        raise RefusedError(404, f"There is nothing at /{'/'.join(call.path)}.")
    by_method = [(each, bound) for each, bound in at_path if each.endpoint.method == call.method]
    if not by_method:
        raise RefusedError(405, f"Use {at_path[0][0].endpoint.method} here.")
    found = [
        (each, {**bound, **more}) for each, bound in by_method if (more := _given(connection, each, call)) is not None
    ]
    if not found:
        raise RefusedError(400, "A parameter that every request needs is missing or wrong.")
    return max(found, key=lambda pair: _exactness(pair[0]))


def _path(resource: Resource, call: Call) -> dict[str, Any] | None:
    try:
        return unfill([segment for segment in resource.endpoint.path.split("/") if segment], call.path)
    except MismatchError:
        return None


def _given(connection: Connection, resource: Resource, call: Call) -> dict[str, Any] | None:
    endpoint, part = resource.endpoint, resource.window or resource.incremental
    params, body = {**connection.system.client.params, **endpoint.params}, endpoint.json_body or {}
    templates = [(params, body)]
    if part:
        with_filter = dict(deep_merge(body, part.json_body or {}))
        templates.append(({**params, **part.params}, with_filter))
    matches = (_match(call, *template) for template in templates)
    return next((found for found in matches if found is not None), None)


def _match(call: Call, params: dict[str, Any], body: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return unfill(params, call.query) | (unfill(body, call.body) if body else {})
    except MismatchError:
        return None


def _exactness(resource: Resource) -> int:
    """Prefer the path with fewer placeholders and the resource with more declared parameters."""
    endpoint = resource.endpoint
    return len(str(endpoint.params)) + len(str(endpoint.json_body or "")) - 1000 * endpoint.path.count("{")
