"""Shorthands: a resource, an endpoint, a paginator or a log-in that is given as text, and columns given as a list."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.document import Document

_LOG_INS = ("bearer", "api_key", "basic", "http_basic", "oauth2_client_credentials", "none")
"""Kinds of authentication that may be given as a text; any other text may be a secret."""


def spelled_out(document: Document) -> Document:
    """Return the document of a system with every shorthand as the mapping it stands for."""
    document = dict(document)
    if isinstance(document.get("client"), dict):
        document["client"] = _client_shape(document["client"])
    if "resource_defaults" in document:
        defaults = document["resource_defaults"]
        document["resource_defaults"] = {} if defaults is None else _resource_shape(defaults)
    if isinstance(document.get("resources"), list):
        below = document.get("resource_defaults") if "client" in document and "base_system" not in document else None
        document["resources"] = [_over(below, _resource_shape(entry)) for entry in document["resources"]]
    return document


def _client_shape(client: Document) -> Document:
    """Return a client, or an endpoint, with paginator and log-in as mappings."""
    client = {key: _with_type(value) if key == "paginator" else value for key, value in client.items()}
    if client.get("auth") in _LOG_INS:
        client["auth"] = {"type": client["auth"]}
    return client


def _with_type(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


def _resource_shape(entry: Any) -> Any:
    if isinstance(entry, str):
        return {"name": entry, "endpoint": {"path": entry}}
    if not isinstance(entry, dict):
        return entry
    entry = dict(entry)
    if isinstance(endpoint := entry.get("endpoint"), str):
        entry["endpoint"] = {"path": endpoint}
    elif isinstance(endpoint, dict):
        entry["endpoint"] = _client_shape(endpoint)
    if isinstance(columns := entry.get("columns"), list) and all(map(_is_named_column, columns)):
        entry["columns"] = {
            column["name"]: {key: value for key, value in column.items() if key != "name"} for column in columns
        }
    return entry


def _is_named_column(column: object) -> bool:
    return isinstance(column, dict) and isinstance(column.get("name"), str)


def _over(defaults: Any, resource: Any) -> Any:
    """Let a paginator replace a default of the same type, as dlt does; one that names its ``end`` is laid over it."""
    below, above = _paginator_mapping(defaults), _paginator_mapping(resource)
    if not below or not above or below.get("type") != above.get("type") or "end" in below or "end" in above:
        return resource
    replaced = {**{key: None for key in below if key not in above}, **above}
    return {**resource, "endpoint": {**resource["endpoint"], "paginator": replaced}}


def _paginator_mapping(resource: Any) -> Document | None:
    endpoint = resource.get("endpoint") if isinstance(resource, dict) else None
    paginator = endpoint.get("paginator") if isinstance(endpoint, dict) else None
    return paginator if isinstance(paginator, dict) else None
