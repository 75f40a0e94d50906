"""Names: what dlt calls a table or column that the API calls otherwise, and resources that are named so."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError, listed

_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[ ._-][A-Za-z0-9]+)*")
"""Names of resources whose words are told apart; others are refused as they were written."""


def snake_case(name: str) -> str:
    """Return a name in lower_snake_case, as dlt's default naming convention writes it."""
    text = re.sub(r"[^A-Za-z0-9_]+", "_", name)
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text)
    text = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", text).lower()
    return re.sub(r"_{2,}", "_", text).rstrip("_") or name


def renamed_resources(resources: list[Document]) -> list[Document]:
    """Return the resources under the names of their tables; other resources' references to them follow.

    Raises:
        SpecError: Two resources share a table, or a table's name is computed.
    """
    tables = {resource["name"]: _table_name(resource) for resource in resources}
    doubles = [table for table, times in Counter(tables.values()).items() if times > 1]
    if doubles:
        names = listed(name for name, table in tables.items() if table in doubles)
        raise SpecError(
            f"{names} share the table {listed(doubles)}; each list needs a table of its own", "key resources"
        )
    return [_with_table_name(resource, tables) for resource in resources]


def _table_name(resource: Document) -> str:
    table = resource.get("table_name")
    if table is not None and not isinstance(table, str):
        raise SpecError(
            "a table's name cannot be computed from its rows", f"resource {resource['name']}", "key table_name"
        )
    name: str = resource["name"]
    return snake_case(table) if table else snake_case(name) if _WORDS.fullmatch(name) else name


def _with_table_name(resource: Document, tables: dict[str, str]) -> Document:
    renamed = {key: value for key, value in resource.items() if key != "table_name"}
    renamed["name"] = tables[resource["name"]]
    if isinstance(parent := renamed.get("parent"), dict) and parent.get("resource") in tables:
        renamed["parent"] = {**parent, "resource": tables[parent["resource"]]}
    return {**renamed, "endpoint": _with_references(renamed.get("endpoint"), tables)}


def _with_references(value: Any, tables: dict[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(
            r"\{resources\.([^.{}]+)\.", lambda found: f"{{resources.{tables.get(found[1], found[1])}.", value
        )
    if isinstance(value, dict):
        if value.get("type") == "resolve" and value.get("resource") in tables:
            return {**value, "resource": tables[value["resource"]]}
        return {key: _with_references(item, tables) for key, item in value.items()}
    return [_with_references(item, tables) for item in value] if isinstance(value, list) else value
