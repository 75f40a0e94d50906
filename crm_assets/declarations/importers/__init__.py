"""Seed documents: a description of an API, with a dlt config in it, made into a declaration of a system.

What the document says is kept; what dlt or the dialect can't take is repaired, and every repair is reported with its
reason. What the document leaves open is never invented: it is listed as a question.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.importers.prose import Prose, read_prose
from crm_assets.declarations.importers.python_config import read_config
from crm_assets.declarations.importers.repairs import Repair, Repairs
from crm_assets.declarations.importers.resource_repairs import (
    repair_columns,
    repair_paginator,
    repair_parent,
    repair_selector,
)
from crm_assets.declarations.importers.retry_repairs import repair_retries
from crm_assets.declarations.json_path import parse_path

__all__ = ["ImportedConfig", "Repair", "import_config"]


@dataclass(frozen=True)
class ImportedConfig:
    """A declaration made from a seed document."""

    document: dict[str, Any]
    """The declaration as :func:`~crm_assets.declarations.loader.parse_system` takes it."""
    yaml: str
    """The same as the text of a system file, with the repairs as comments at its top."""
    repairs: tuple[Repair, ...]
    """All that was changed, assumed or left open, and why."""


def import_config(text: str, name: str) -> ImportedConfig:
    """Return the declaration of a seed document.

    Args:
        text: Markdown with a fenced Python block, or the bare Python, that calls ``rest_api_source({...})``.
            Nothing of it is run.
        name: Name of the system.

    Raises:
        SpecError: The document holds no such call, or more than literals in it.
    """
    repairs = Repairs()
    text = text.replace("\r\n", "\n")
    try:
        config, comments = read_config(text)
        _check_shape(config)
    except SpecError as error:
        raise error.inside(f"seed of {name}") from error.__cause__
    for comment in comments:
        repairs.note("changed", "comment", f"{comment.strip()!r} dropped", "Python has no // comments")
    document = {"name": name} | {key: value for key, value in config.items() if key != "name"}
    _repair(document, read_prose(text), repairs)
    return ImportedConfig(document, _text(document, repairs.all()), repairs.all())


def _check_shape(config: dict[str, Any]) -> None:
    resources = config.get("resources")
    if not isinstance(config.get("client"), dict) or not isinstance(resources, list):
        raise SpecError("expected a mapping under client and a list under resources", "key config")
    defaults = config.get("resource_defaults", {})
    if not isinstance(defaults, dict) or not isinstance(defaults.get("endpoint", {}), dict):
        raise SpecError("expected a mapping, with a mapping under endpoint", "key resource_defaults")
    for position, resource in enumerate(resources, 1):
        _check_resource(resource, f"resource number {position}")


def _check_resource(resource: object, place: str) -> None:
    if not isinstance(resource, dict) or not isinstance(resource.get("name"), str):
        raise SpecError("expected a mapping with name and endpoint", place)
    endpoint = resource.get("endpoint")
    if not isinstance(endpoint, dict):
        raise SpecError("expected a mapping with path and data_selector", place, "key endpoint")
    try:
        parse_path(endpoint.get("data_selector", []))
    except ValueError as error:
        raise SpecError(str(error), place, "key data_selector") from None


def _repair(document: dict[str, Any], prose: Prose, repairs: Repairs) -> None:
    _note_client(document["client"], repairs)
    document["resource_defaults"] = {**document.get("resource_defaults", {}), "verified": "inferred"}
    why = "a seed document is an interpretation of an API, not the vendor's documentation"
    repairs.note("assumed", "resource_defaults.verified", "inferred", why)
    repair_retries(document, prose.retry, repairs)
    names = [resource["name"] for resource in document["resources"]]
    for resource in document["resources"]:
        listed = prose.schema.get(resource["name"], [])
        repair_selector(resource, listed, repairs)
        repair_paginator(resource, repairs)
        repair_parent(resource, names, repairs)
        repair_columns(resource, _primary_key(document, resource), listed, repairs)
    _note_same_requests(document["resources"], repairs)
    for name in prose.named:
        if name not in names:
            why = "the text names it, the config has neither path nor selector for it, so it was not added"
            repairs.note("open", "resources", "where and how is it read?", why, name)


def _primary_key(document: dict[str, Any], resource: dict[str, Any]) -> list[str]:
    key = resource.get("primary_key", document["resource_defaults"].get("primary_key"))
    keys = [key] if isinstance(key, str) else key
    return [name for name in keys if isinstance(name, str)] if isinstance(keys, list) else []


def _note_client(client: dict[str, Any], repairs: Repairs) -> None:
    auth = client.get("auth")
    if isinstance(auth, dict) and auth.get("type") == "basic":
        repairs.note("kept", "client.auth.type", "basic", "dlt calls it http_basic; the dialect accepts both")
    if "example" in str(client.get("base_url")):
        why = f"{client['base_url']} is an example; each connection sets its own"
        repairs.note("kept", "client.base_url", "as it stands", why)


def _note_same_requests(resources: list[dict[str, Any]], repairs: Repairs) -> None:
    """Report resources whose requests don't differ: the API could not know which list is meant."""
    alike: dict[str, list[str]] = {}
    for resource in resources:
        endpoint = resource["endpoint"]
        request = [endpoint.get("method", "GET"), *(endpoint.get(key) for key in ("path", "params", "json"))]
        alike.setdefault(json.dumps(request, sort_keys=True), []).append(resource["name"])
    for names in alike.values():
        if len(names) > 1:
            what = "how do their requests differ? Add a body to each, such as json: {Function: …}"
            repairs.note("open", "endpoint.json", what, "method, path and parameters are the same", *names)


def _text(document: dict[str, Any], repairs: tuple[Repair, ...]) -> str:
    head = "".join(f"# {repair}\n" for repair in repairs)
    return head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
