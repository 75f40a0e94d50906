"""Repairs of the retry rules: the config's per endpoint, the prose's for all."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.importers.repairs import Repairs


def repair_retries(document: dict[str, Any], said: dict[str, Any], repairs: Repairs) -> None:
    """Give all resources the retry rule of the prose, and keep those of single endpoints that differ from it.

    Args:
        document: The system; changed in place.
        said: The ``error_handler`` that the prose describes, or nothing.
        repairs: Where it is noted.
    """
    if said:
        defaults = document["resource_defaults"]
        defaults["endpoint"] = {**defaults.get("endpoint", {}), "error_handler": said}
        what = ", ".join(f"{key} {value}" for key, value in said.items())
        repairs.note("changed", "resource_defaults.endpoint.error_handler", what, "the text says so for all requests")
    elif not any("error_handler" in resource["endpoint"] for resource in document["resources"]):
        why = "the document specifies neither retries nor waits: 429 and 5xx are retried 3 times, after 2, 4 and 8 s"
        repairs.note("assumed", "error_handler", "the dialect's default", why)
    for resource in document["resources"]:
        _repair_handler(resource, said, repairs)


def _repair_handler(resource: dict[str, Any], said: dict[str, Any], repairs: Repairs) -> None:
    name, handler = resource["name"], resource["endpoint"].get("error_handler")
    if not isinstance(handler, dict):
        return
    constant = said.get("backoff_constant")
    if constant is not None and handler.get("backoff_factor") == constant:
        handler["backoff_constant"] = handler.pop("backoff_factor")
        why = "the text speaks of a constant backoff; a factor doubles with every try"
        repairs.note("changed", "error_handler.backoff_factor", f"backoff_constant {constant}", why, name)
    if handler == said:
        del resource["endpoint"]["error_handler"]
        repairs.note("changed", "error_handler", "moved to resource_defaults", "the text says the same for all", name)
        return
    for one, other in (("backoff_factor", "backoff_constant"), ("backoff_constant", "backoff_factor")):
        if one in handler and other in said:
            handler.setdefault(other, None)
    repairs.note("kept", "error_handler", "as it stands", "dlt knows no such key; the dialect does", name)
