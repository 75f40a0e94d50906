"""Configurations as plain data: dlt's paginators, log-ins and increments in the words they have in a configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import MagicMock

from dlt.sources.helpers.rest_client.paginators import BasePaginator

from crm_assets.declarations.importers.dlt_source.learned_filter import learned_conditions
from crm_assets.declarations.importers.dlt_source.learned_paginator import learned
from crm_assets.declarations.importers.dlt_source.stand_ins import texts_in


def plain(value: Any) -> Any:
    """Return a configuration as plain data; what is none is told by its name."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, MagicMock):
        return {"__stand_in__": re.sub(r"<MagicMock name='(.*?)'.*", r"\1", str(value))[:80]}
    if (written := _of_dlt(value)) is not None:
        return written
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in _tried_out(value).items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return _code(value)


def _tried_out(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return what its functions make of made-up values: a filter of records, an increment of its first value.

    What is made of the first value shows the format of all.
    """
    convert, initial, passes = value.get("convert"), value.get("initial_value"), value.get("filter")
    if callable(passes) and (conditions := learned_conditions(passes, sorted(texts_in(passes)))):
        return {**value, "filter": {**plain(passes), "conditions": conditions}}
    if value.get("cursor_path") is None or not callable(convert) or initial is None:
        return value
    try:
        return {**value, "convert": {"__made__": plain(convert(initial))}}
    except Exception:  # of code that is not ours: the function stays, and is named as code
        return value


def _code(value: Any) -> dict[str, Any]:
    return {"__code__": getattr(value, "__name__", type(value).__name__), "texts": sorted(texts_in(value))}


def _of_dlt(value: Any) -> dict[str, Any] | None:
    """Return an object of dlt in the words of a configuration; one of a class that acts otherwise is code,
    if it is not a paginator of which trials show what it does.
    """
    kinds = type(value).__mro__
    above = next((number for number, kind in enumerate(kinds) if kind.__module__.startswith("dlt.")), None)
    if above is None:
        return None
    written = _OBJECTS.get(kinds[above].__name__)
    if written and not any(map(_acts, kinds[:above])):
        return written(value)
    declared = learned(value) if isinstance(value, BasePaginator) else None
    return {**declared, "__learned__": kinds[0].__name__} if declared else _code(value)


def _acts(kind: type) -> bool:
    """Return whether a class does something of its own, beyond setting up what it inherits."""
    return any(callable(member) and (name == "__call__" or name[:2] != "__") for name, member in vars(kind).items())


def _path(value: Any) -> str | None:
    return None if value is None else str(value)


def _ranged(value: Any, kind: str, keys: dict[str, str]) -> dict[str, Any]:
    common = {
        "type": kind,
        "total_path": _path(value.total_path),
        "has_more_path": _path(value.has_more_path),
        "stop_after_empty_page": value.stop_after_empty_page,
    }
    found = {key: getattr(value, attribute, None) for key, attribute in keys.items()}
    return {**common, **{key: item for key, item in found.items() if item is not None}}


_PAGES = {
    "base_page": "base_index",
    "page": "initial_value",
    "page_param": "param_name",
    "page_body_path": "param_body_path",
    "maximum_page": "maximum_value",
}
_OFFSETS = {
    "limit": "limit",
    "offset": "initial_value",
    "offset_param": "param_name",
    "offset_body_path": "param_body_path",
    "limit_param": "limit_param",
    "limit_body_path": "limit_body_path",
    "maximum_offset": "maximum_value",
}
_OBJECTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "SinglePagePaginator": lambda _: {"type": "single_page"},
    "HeaderLinkPaginator": lambda one: {"type": "header_link", "links_next_key": one.links_next_key},
    "JSONLinkPaginator": lambda one: {"type": "json_link", "next_url_path": _path(one.next_url_path)},
    "JSONResponsePaginator": lambda one: {"type": "json_link", "next_url_path": _path(one.next_url_path)},
    "HeaderCursorPaginator": lambda one: {
        "type": "header_cursor",
        "cursor_key": one.cursor_key,
        "cursor_param": one.cursor_param,
    },
    "JSONResponseCursorPaginator": lambda one: {
        "type": "cursor",
        "cursor_path": _path(one.cursor_path),
        "cursor_param": one.cursor_param,
        "cursor_body_path": _path(one.cursor_body_path),
        "has_more_path": _path(one.has_more_path),
        "stop_after_empty_page": one.stop_after_empty_page,
    },
    "PageNumberPaginator": lambda one: _ranged(one, "page_number", _PAGES),
    "OffsetPaginator": lambda one: _ranged(one, "offset", _OFFSETS),
    "OAuth2AuthBase": lambda one: {"type": "bearer", "token": plain(one.access_token)},
    "BearerTokenAuth": lambda one: {"type": "bearer", "token": plain(one.token)},
    "APIKeyAuth": lambda one: {
        "type": "api_key", "name": one.name, "api_key": plain(one.api_key), "location": one.location,
    },
    "HttpBasicAuth": lambda one: {
        "type": "http_basic", "username": plain(one.username), "password": plain(one.password),
    },
    "OAuth2ClientCredentials": lambda one: {
        "type": "oauth2_client_credentials",
        "access_token_url": plain(one.access_token_url),
        "client_id": plain(one.client_id),
        "client_secret": plain(one.client_secret),
        "access_token_request_data": plain(one.access_token_request_data or {}),
    },
    "Incremental": lambda one: {
        "type": "incremental", "cursor_path": one.cursor_path, "initial_value": plain(one.initial_value),
        "end_value": plain(one.end_value),
    },
}  # fmt: skip
