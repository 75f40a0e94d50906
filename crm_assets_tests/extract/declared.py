"""Small declarations and JSON comparisons the tests of reading share."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations import Endpoint, Resource

EVERY_TYPE: dict[str, Any] = {
    "id": {"type": "text", "nullable": False},
    "words": "text",
    "whole": "bigint",
    "real": "double",
    "money": "decimal",
    "flag": "bool",
    "moment": "timestamp",
    "day": "date",
    "tree": "json",
    "seconds": {"type": "timestamp", "format": "epoch_s"},
    "milliseconds": {"type": "timestamp", "format": "epoch_ms"},
    "epoch_day": {"type": "date", "format": "epoch_s"},
    "deep": {"type": "text", "source": "attributes.deep"},
    "deeper": {"type": "bigint", "source": "attributes.more.deeper"},
    "spaced": {"type": "text", "source": "Display Name 🎨"},
}
"""One column of every type, of every way to write a moment, and of every way to be named on the wire."""


def endpoint(**keys: Any) -> Endpoint:
    """Return an endpoint whose records stand under ``data``, with further keys of the dialect."""
    return Endpoint.model_validate({"path": "/things", "data_selector": "data", "paginator": "single_page", **keys})


def resource(columns: dict[str, Any] | None = None, **keys: Any) -> Resource:
    """Return a resource of such an endpoint with these columns, by default one of every type."""
    document = {"name": "things", "primary_key": "id", "endpoint": endpoint(), "columns": columns or EVERY_TYPE}
    return Resource.model_validate({**document, **keys})


def canonical(value: Any) -> Any:
    """Return a JSON value in which only what is the same JSON compares as equal: ``true`` is not 1, but 1.0 is."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return value
