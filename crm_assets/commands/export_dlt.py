"""Compile a system into a plain, valid ``rest_api_source`` config, which dlt validates.

The config is what people get who want dlt alone (``crm-assets export-dlt``), and the tests' oracle: dlt's own engine
has to deliver the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from typing_extensions import assert_never

from crm_assets.declarations.json_path import WILDCARD, path_text
from crm_assets.declarations.models.auth import Auth, CombinedAuth
from crm_assets.declarations.models.base import PLACEHOLDER, deep_merge, fill
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.endpoint import ResponseAction
from crm_assets.declarations.models.paginator import (
    Auto,
    CursorPage,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    Paginator,
    SinglePage,
)
from crm_assets.declarations.models.resource import Parent, Resource
from crm_assets.declarations.models.simple_auth import ApiKeyAuth, BasicAuth, BearerAuth, NoAuth
from crm_assets.declarations.models.token_auth import (
    ClientCredentialsAuth,
    PasswordAuth,
    RefreshTokenAuth,
    SessionTokenAuth,
)
from crm_assets.errors import CommandError
from crm_assets.warehouse.dlt_schema import dlt_columns

if TYPE_CHECKING:
    from dlt.extract import DltSource


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

    Raises:
        CommandError: dlt cannot read one of its lists.
    """
    client = connection.system.client
    return {
        "client": {
            "base_url": connection.base_url,
            "headers": dict(client.headers),
            **({"auth": auth} if (auth := _dlt_auth(client.auth, secrets)) else {}),
        },
        "resources": [_dlt_resource(connection, resource, secrets) for resource in connection.system.resources],
    }


def _dlt_auth(auth: Auth, secrets: dict[str, str]) -> dict[str, Any] | None:
    match auth:
        case NoAuth():
            return None
        case BasicAuth():
            username, password = (secrets.get(name, "") for name in (auth.username, auth.password))
            return {"type": "http_basic", "username": username, "password": password}
        case ApiKeyAuth():
            value = secrets[auth.api_key]
            sent = PLACEHOLDER.sub(lambda found: secrets[found[1]], auth.value) if auth.value else value
            return {"type": "api_key", "name": auth.name, "api_key": sent, "location": auth.location}
        case BearerAuth():
            return {"type": "bearer", "token": secrets[auth.token]}
        case ClientCredentialsAuth():
            return {
                "type": auth.type,
                "access_token_url": auth.access_token_url,
                "client_id": secrets[auth.client_id],
                "client_secret": secrets.get(auth.client_secret, ""),
                "access_token_request_data": auth.access_token_request_data,
                "default_token_expiration": auth.default_token_expiration,
            }
        case RefreshTokenAuth() | PasswordAuth() | SessionTokenAuth() | CombinedAuth():
            raise CommandError(f"dlt has no authentication of type {auth.type}.")
        case _:
            assert_never(auth)


def _dlt_resource(connection: Connection, resource: Resource, secrets: dict[str, str]) -> dict[str, Any]:
    endpoint, parent = resource.endpoint, resource.parent
    if lacking := _without_counterpart(resource):
        raise CommandError(f"dlt has no {lacking}, which {connection.name}.{resource.name} needs.")
    params: dict[str, Any] = {**connection.system.client.params, **endpoint.params}
    body: Any = endpoint.json_body
    paginator = endpoint.paginator
    if not isinstance(paginator, (Auto, SinglePage, Offset)) and paginator.limit_param and paginator.limit:
        if paginator.location == "json":
            body = deep_merge(body or {}, _nested_body(paginator.limit_param, paginator.limit))
        else:
            params[paginator.limit_param] = paginator.limit
    fields = {name: _wire_name(connection, parent, field) for name, field in parent.values.items()} if parent else {}
    bound = {name: f"{{resources.{parent.resource}.{field}}}" for name, field in fields.items()} if parent else {}
    entry: dict[str, Any] = {
        "name": resource.name,
        "write_disposition": resource.write_disposition,
        "columns": list(dlt_columns(resource).values()),
        "endpoint": {
            "path": fill(endpoint.path, bound),
            "method": endpoint.method,
            "params": fill(params, bound),
            **({} if endpoint.data_selector is None else {"data_selector": _selector(endpoint.data_selector)}),
            "paginator": _dlt_paginator(paginator),
            **({"auth": _dlt_auth(endpoint.auth, secrets)} if endpoint.auth else {}),
            **({"headers": dict(endpoint.headers)} if endpoint.headers else {}),
            **({"response_actions": actions} if (actions := _ignoring(endpoint.response_actions)) else {}),
            **({"data" if endpoint.body_format == "form" else "json": fill(body, bound)} if body is not None else {}),
        },
    }
    if not resource.selected:
        entry["selected"] = False
    if resource.primary_key:
        entry["primary_key"] = list(resource.primary_key)
    return {**entry, "include_from_parent": list(dict.fromkeys(fields.values()))} if parent else entry


def _without_counterpart(resource: Resource) -> str:
    """Return the first thing a list needs that no configuration can say; without it dlt would read other rows."""
    endpoint = resource.endpoint
    needs = {
        "export jobs": endpoint.export_job,
        "lists of fixed values (for_each)": resource.for_each,
        "decoder of other bodies than JSON": endpoint.decoder and endpoint.decoder.type != "json",
        "conditions on records that are not code (record_filter)": endpoint.record_filter,
        "fields of the objects around a list (outer_fields)": endpoint.outer_fields,
        "end of a list by a repeated cursor or link (end: repeat)": getattr(endpoint.paginator, "end", "") == "repeat",
    }
    return next((name for name, needed in needs.items() if needed), "")


def losses(connection: Connection) -> list[str]:
    """Return what the configuration leaves out because dlt has no counterpart, as a sentence per list."""
    left_out = {resource.name: _left_out(resource) for resource in connection.system.resources}
    return [f"{connection.name}.{name}: dlt has no {', no '.join(keys)}." for name, keys in left_out.items() if keys]


def _left_out(resource: Resource) -> list[str]:
    endpoint = resource.endpoint
    keys = {
        "error_path": endpoint.error_path,
        "include": endpoint.include,
        "unwrap": endpoint.unwrap,
        "response_actions but those that ignore a status or a text": len(_ignoring(endpoint.response_actions))
        < len(endpoint.response_actions),
    }
    return [key for key, used in keys.items() if used]


def _ignoring(actions: Iterable[ResponseAction]) -> list[dict[str, Any]]:
    """Return the actions that dlt has: passing over a list by its status and by a text in the body."""
    known = [action for action in actions if action.action == "ignore" and action.path is None]
    return [action.model_dump(include={"status_code", "content", "action"}, exclude_none=True) for action in known]


def _selector(path: tuple[str, ...]) -> str:
    """Return a path as any version of dlt's JSONPath library reads it: older ones find list items by ``[*]`` alone."""
    text = ""
    for segment in path:
        text += "[*]" if segment == WILDCARD else ("." if text else "") + path_text((segment,))
    return text or path_text(path)


def _wire_name(connection: Connection, parent: Parent, field: str) -> str:
    """Return what the parent's own records call a field: dlt binds before anything is renamed."""
    column = connection.system.resource(parent.resource).columns[field]
    return path_text(column.wire_path(field))


def _nested_body(path: str, value: Any) -> Any:
    for segment in reversed(path.split(".")):
        value = {segment: value}
    return value


def _dlt_paginator(paginator: Paginator) -> dict[str, Any]:
    match paginator:
        case PageNumber():
            return {
                "type": "page_number",
                "base_page": paginator.start_from_page,
                "page_body_path" if paginator.location == "json" else "page_param": paginator.page_param,
                **_dlt_counter(paginator, paginator.total_pages_path, "maximum_page"),
            }
        case Offset():
            place = "body_path" if paginator.location == "json" else "param"
            return {
                "type": "offset",
                "limit": paginator.limit,
                "offset": paginator.start_offset,
                f"offset_{place}": paginator.offset_param,
                f"limit_{place}": paginator.limit_param,
                **_dlt_counter(paginator, paginator.total_records_path, "maximum_offset"),
            }
        case JsonLink():
            return {"type": "json_link", "next_url_path": path_text(paginator.next_url_path)}
        case HeaderLink():
            return {"type": "header_link", "links_next_key": paginator.links_next_key}
        case CursorPage():
            return {
                "type": "cursor",
                "cursor_path": path_text(paginator.cursor_path),
                "cursor_body_path" if paginator.location == "json" else "cursor_param": paginator.cursor_param,
                **({"has_more_path": path_text(paginator.has_more_path)} if paginator.has_more_path else {}),
                **({"stop_after_empty_page": True} if paginator.end == "empty_page" else {}),
            }
        case HeaderCursor():
            return {
                "type": "header_cursor",
                "cursor_key": paginator.cursor_key,
                "cursor_param": paginator.cursor_param,
            }
        case SinglePage() | Auto():
            return {"type": paginator.type}
        case _:
            assert_never(paginator)


def _dlt_counter(paginator: PageNumber | Offset, total: tuple[str, ...] | None, maximum: str) -> dict[str, Any]:
    is_reported = paginator.end in ("total_pages", "total_records") and total
    keys: dict[str, Any] = {"total_path": path_text(total) if is_reported and total else None}
    if paginator.has_more_path:
        keys["has_more_path"] = path_text(paginator.has_more_path)
    if paginator.max_pages and isinstance(paginator, PageNumber):
        keys[maximum] = paginator.start_from_page + paginator.max_pages
    elif paginator.max_pages and isinstance(paginator, Offset):
        keys[maximum] = paginator.start_offset + paginator.max_pages * (paginator.limit or 1)
    return keys
