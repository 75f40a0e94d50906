"""Words the dialect had before those of the field were settled; they mean what they meant then."""

from __future__ import annotations

from typing import Any

_RESOURCE = {"cursor": "incremental", "delete_guard": "max_delete_fraction"}
_PARTS = {
    "parent": {"bind": "placeholder"},
    "incremental": {"resweep": "full_refresh_every"},
    "window": {
        "trailing": "lookback_days",
        "horizon": "days_ahead",
        "margin": "padding_days",
        "undated": "include_undated",
        "aggregate": "per_partition",
    },
}
_CONNECTION = {"delete_guard": "max_delete_fraction"}
_PLACEHOLDERS = {"{cursor_start}": "{incremental.start_value}"}


def renamed_system(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a system in today's words; what is not a mapping is left for the models to refuse."""
    document = _with_former_keys(document, {"seed": "origin"})
    if isinstance(resources := document.get("resources"), list):
        document["resources"] = [_resource_of_former(entry) for entry in resources]
    if "resource_defaults" in document:
        document["resource_defaults"] = _resource_of_former(document["resource_defaults"])
    return document


def renamed_connection(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of the connections file in today's words."""
    return _with_former_keys(entry, _CONNECTION)


def _resource_of_former(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    entry = _with_former_keys(entry, _RESOURCE)
    for part, names in _PARTS.items():
        if isinstance(entry.get(part), dict):
            entry[part] = _with_former_keys(entry[part], names)
    return {key: _with_placeholders(value) for key, value in entry.items()}


def _with_former_keys(mapping: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {(key if names.get(key) in mapping else names.get(key, key)): value for key, value in mapping.items()}


def _with_placeholders(value: Any) -> Any:
    if isinstance(value, str):
        for former, name in _PLACEHOLDERS.items():
            value = value.replace(former, name)
        return value
    if isinstance(value, dict):
        return {key: _with_placeholders(item) for key, item in value.items()}
    return [_with_placeholders(item) for item in value] if isinstance(value, list) else value
