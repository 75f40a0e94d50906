"""A declaration as readable YAML, with what was assumed as comments."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from crm_assets.declarations.document import Document
from crm_assets.declarations.loader import SYSTEMS, read_yaml
from crm_assets.declarations.models.system import System
from crm_assets.extract.discovery.look import Look

_WIDTH = 116


def completed(system: System, looks: Sequence[Look]) -> Document:
    """Return a system's document with what was found of its resources.

    A packaged system is extended; an own file is completed; an address gets a whole declaration.
    """
    if system.path and SYSTEMS in Path(system.path).parents:
        return {
            "extends": system.name,
            "resources": [_resource_lines({"name": look.resource}, look) for look in looks if look.shows_more],
        }
    by_name = {look.resource: look for look in looks}
    document = read_yaml(Path(system.path)) if system.path else _skeleton(system, looks)
    entries = [_entry(entry) for entry in document.get("resources", [])]
    own = [
        _resource_lines(entry, by_name.pop(entry["name"])) if entry["name"] in by_name else entry for entry in entries
    ]
    inherited = [_resource_lines({"name": name}, look) for name, look in by_name.items() if look.shows_more]
    return {**document, "resources": own + inherited}


def text_of(name: str, document: Document, looks: Sequence[Look], base_url: str) -> str:
    """Return the YAML text of a document.

    Args:
        name: The connection's name.
        document: The declaration.
        looks: What was found; gives the comments.
        base_url: The address that was asked.
    """
    remarks = {look.resource: look.remarks for look in looks}
    head = {key: value for key, value in document.items() if key != "resources"}
    lines = [f"# {name}: discovered at {base_url} on {_today()}.", "# Comments say what was assumed.", ""]
    lines += [*mapping_lines(head, 0), "", *(["resources:"] if document["resources"] else [])]
    for resource in document["resources"]:
        for remark in remarks.get(resource["name"], []):
            sentence = "".join(one if one.isprintable() else " " for one in remark)
            lines += textwrap.wrap(sentence, _WIDTH, initial_indent="  # - ", subsequent_indent="  #   ")
        first, *rest = mapping_lines(resource, 4)
        lines += [f"  - {first.lstrip()}", *rest, ""]
    return "\n".join(lines[:-1]) + "\n"


def _skeleton(system: System, looks: Sequence[Look]) -> Document:
    auth = system.client.auth.model_dump(exclude_defaults=True, mode="json")
    client = {"base_url": system.client.base_url, "auth": auth}
    rate = next((look.rate_limit for look in looks if look.rate_limit), None)
    resources = [{"name": resource.name, "endpoint": {"path": resource.endpoint.path}} for resource in system.resources]
    kept = [one for one in resources if one["name"] in {look.resource for look in looks}]
    return {"client": client, **({"rate_limit": rate} if rate else {}), "resources": kept}


def _entry(resource: Any) -> Document:
    """Return a resource as a mapping; dlt takes its name for its path."""
    return {"name": resource, "endpoint": {"path": resource}} if isinstance(resource, str) else dict(resource)


def _resource_lines(entry: Document, look: Look) -> Document:
    endpoint = entry.get("endpoint", {})
    endpoint = {"path": endpoint} if isinstance(endpoint, str) else endpoint
    columns = entry.get("columns")
    found = {key: value for key, value in look.found.items() if key not in ("endpoint", "columns")}
    parts: Document = {**entry, "endpoint": {**endpoint, **look.found.get("endpoint", {})}, **found}
    if not parts["endpoint"]:
        del parts["endpoint"]
    if isinstance(columns, dict) or not columns:
        parts["columns"] = {**(columns or {}), **look.found.get("columns", {})}
    if look.shows_more and look.records:
        parts["verified"] = "observed"
        parts["evidence"] = f"{look.extent}, seen on {_today()}"
    if not parts.get("columns"):
        parts.pop("columns", None)
    return parts


def mapping_lines(mapping: Document, indent: int) -> Iterator[str]:
    """Yield the lines of a mapping: one per member where that fits, columns always one per line.

    Args:
        mapping: Plain data.
        indent: Spaces before its members.
    """
    for key, value in mapping.items():
        name = _scalar(key)
        line = f"{' ' * indent}{name}: {flow(value)}"
        simple = not isinstance(value, dict) or not any(isinstance(one, (dict, list)) for one in value.values())
        if isinstance(value, dict) and value and not (simple and len(line) <= _WIDTH and key != "columns"):
            yield f"{' ' * indent}{name}:"
            yield from mapping_lines(value, indent + 2)
        elif isinstance(value, list) and len(line) > _WIDTH:
            yield f"{' ' * indent}{name}:"
            yield from (f"{' ' * indent}  - {flow(one)}" for one in value)
        else:
            yield line


def flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{_scalar(key)}: {flow(one)}" for key, one in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(flow, value)) + "]"
        case _:
            return _scalar(value)


def _scalar(value: Any) -> str:
    """Return a plain value as YAML, quoted wherever it could be read as something else, in a flow mapping as well."""
    if not isinstance(value, str):
        return json.dumps(value, default=str)
    written = yaml.safe_dump([value], default_flow_style=True, width=10**9, allow_unicode=True)
    return written.strip()[1:-1]


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()
