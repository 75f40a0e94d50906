"""Compile a system into a plain, valid ``rest_api_source`` config, which dlt validates.

The config is what people get who want dlt alone (``crm-assets export-dlt``), and the tests' oracle: dlt's own engine
has to deliver the same rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crm_assets.spec.auth import ApiKeyAuth, BasicAuth
from crm_assets.spec.base import PLACEHOLDER, fill, merged
from crm_assets.spec.columns import Column
from crm_assets.spec.connections import Connection
from crm_assets.spec.paginator import CursorPage, JsonLink, Offset, PageNumber, Paginator, SinglePage
from crm_assets.spec.paths import WILDCARD, path_text
from crm_assets.spec.system import Parent, Resource

if TYPE_CHECKING:
    from dlt.extract import DltSource

WRITE_DISPOSITION = {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}
"""Spools hold every key once, so the destination need not look for duplicates."""


def dlt_columns(resource: Resource) -> dict[str, dict[str, Any]]:
    """Return dlt's column hints: the declared columns and the ones every table has."""
    own = {name: _column(name, column, name in resource.primary_key) for name, column in resource.columns.items()}
    kept = {name: {"name": name, "data_type": "json", "nullable": True} for name in ("_extra", "_misfits")}
    return {
        **own,
        **kept,
        "_read_id": {"name": "_read_id", "data_type": "text", "nullable": False},
        "_deleted_at": {"name": "_deleted_at", "data_type": "timestamp", "nullable": True},
    }


def rest_api(connection: Connection, secrets: dict[str, str]) -> DltSource:
    """Return the connection as dlt's own engine would read it. dlt validates the config; nothing is requested."""
    from dlt.sources.rest_api import rest_api_source

    config: Any = rest_api_config(connection, secrets)
    source: DltSource = rest_api_source(config, name=connection.name)
    return source


def rest_api_config(connection: Connection, secrets: dict[str, str]) -> dict[str, Any]:
    """Return the connection's declaration as dlt's ``RESTAPIConfig``.

    Args:
        connection: The account.
        secrets: Secret name to value; placeholders do where nothing is requested.
    """
    client = connection.system.client
    return {
        "client": {
            "base_url": connection.base_url,
            "headers": dict(client.headers),
            "auth": _auth(connection, secrets),
        },
        "resource_defaults": {"write_disposition": "merge"},
        "resources": [_resource(connection, resource) for resource in connection.system.resources],
    }


def _column(name: str, column: Column, key: bool) -> dict[str, Any]:
    hints = {"name": name, "data_type": column.type.value, "nullable": column.nullable and not key}
    return {**hints, "description": column.description} if column.description else hints


def _auth(connection: Connection, secrets: dict[str, str]) -> dict[str, Any]:
    auth = connection.system.client.auth
    if isinstance(auth, BasicAuth):
        return {"type": "http_basic", "username": secrets[auth.username], "password": secrets[auth.password]}
    if isinstance(auth, ApiKeyAuth):
        value = secrets[auth.api_key]
        sent = PLACEHOLDER.sub(lambda found: secrets[found[1]], auth.value) if auth.value else value
        return {"type": "api_key", "name": auth.name, "api_key": sent, "location": auth.location}
    return {"type": "bearer", "token": secrets[auth.token]}


def _resource(connection: Connection, resource: Resource) -> dict[str, Any]:
    endpoint, parent = resource.endpoint, resource.parent
    params: dict[str, Any] = {**connection.system.client.params, **endpoint.params}
    body: Any = endpoint.json_body
    paginator = endpoint.paginator
    if not isinstance(paginator, SinglePage) and paginator.limit_param and paginator.limit:
        if not isinstance(paginator, JsonLink) and paginator.location == "json":
            body = merged(body or {}, _nested(paginator.limit_param, paginator.limit))
        else:
            params[paginator.limit_param] = paginator.limit
    field = _wire_name(connection, parent) if parent else ""
    bound = _Bound(parent.bind, f"{{resources.{parent.resource}.{field}}}") if parent else None
    entry: dict[str, Any] = {
        "name": resource.name,
        "primary_key": list(resource.primary_key),
        "columns": list(dlt_columns(resource).values()),
        "endpoint": {
            "path": bound.fill(endpoint.path) if bound else endpoint.path,
            "method": endpoint.method,
            "params": bound.fill(params) if bound else params,
            "data_selector": _selector(endpoint.data_selector),
            "paginator": _paginator(paginator),
            **({"json": bound.fill(body) if bound else body} if body is not None else {}),
        },
    }
    return {**entry, "include_from_parent": [field]} if parent else entry


def _selector(path: tuple[str, ...]) -> str:
    """Return a path as any version of dlt's JSONPath library reads it: older ones find list items by ``[*]`` alone."""
    text = ""
    for segment in path:
        text += "[*]" if segment == WILDCARD else ("." if text else "") + path_text((segment,))
    return text or path_text(path)


def _wire_name(connection: Connection, parent: Parent) -> str:
    """Return what the parent's own records call the field: dlt binds before anything is renamed."""
    column = connection.system.resource(parent.resource).columns[parent.field]
    return path_text(column.wire_path(parent.field))


class _Bound:
    """Binds a placeholder to dlt's expression for a parent's field."""

    def __init__(self, name: str, expression: str) -> None:
        self._values = {name: expression}

    def fill(self, template: Any) -> Any:
        return fill(template, dict(self._values))


def _nested(path: str, value: Any) -> Any:
    for segment in reversed(path.split(".")):
        value = {segment: value}
    return value


def _paginator(paginator: Paginator) -> dict[str, Any]:
    if isinstance(paginator, PageNumber):
        place = "page_body_path" if paginator.location == "json" else "page_param"
        return {
            "type": "page_number",
            "base_page": paginator.start_from_page,
            place: paginator.page_param,
            "total_path": None,
            **({"has_more_path": path_text(paginator.has_more_path)} if paginator.has_more_path else {}),
        }
    if isinstance(paginator, Offset):
        return {
            "type": "offset",
            "limit": paginator.limit,
            "offset": paginator.start_offset,
            "offset_param": paginator.offset_param,
            "limit_param": paginator.limit_param,
            "total_path": None,
        }
    if isinstance(paginator, JsonLink):
        return {"type": "json_link", "next_url_path": path_text(paginator.next_url_path)}
    if isinstance(paginator, CursorPage):
        return {
            "type": "cursor",
            "cursor_path": path_text(paginator.cursor_path),
            "cursor_param": paginator.cursor_param,
        }
    return {"type": "single_page"}
