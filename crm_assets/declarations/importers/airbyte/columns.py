"""Columns from the JSON schema of a stream."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.names import RESERVED_COLUMNS
from crm_assets.declarations.spellings.names import snake_case

_TYPES = {"string": "text", "integer": "bigint", "number": "double", "boolean": "bool"}
_LONGEST = 60


def manifest_columns(schema: Any, flattened: str = "") -> Document:
    """Return the columns of a schema's properties.

    Args:
        schema: The JSON schema of a record.
        flattened: Path of an object whose members the manifest lifts to the record.
    """
    found: Document = {}
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name, each in (properties or {}).items():
        if not isinstance(name, str):
            continue
        column: Document = {"type": _type(each)}
        if isinstance(each, dict) and isinstance(each.get("description"), str):
            column["description"] = " ".join(each["description"].split())
        path = (name,) if not flattened or name in _OUTER else (flattened, name)
        add_column(found, name, path, column)
    return found


_OUTER = ("id", "type", "links", "relationships")


def add_column(found: Document, name: str, path: tuple[str, ...] | str, column: Document) -> str:
    """Add a column for a path, or a placeholder, under a name that tables can have; return the name."""
    own = manifest_column_name(name, found)
    source = path if isinstance(path, str) else path_text(path)
    found[own] = {**column, **({} if source == own else {"source": source})}
    return own


def manifest_column_name(name: str, taken: Document) -> str:
    """Return a name for a column that no other has."""
    text = snake_case(name)[:_LONGEST].rstrip("_")
    if not text or not (text[0].isalpha() or (text[0] == "_" and text[1:2].isalpha())) or text in RESERVED_COLUMNS:
        text = f"n{text}"
    while text in taken:
        text += "_x"
    return text


def _type(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "json"
    given = schema.get("type")
    kinds = {kind for kind in ([given] if isinstance(given, str) else given or []) if kind != "null"}
    if not kinds:
        inner = [_type(one) for key in ("oneOf", "anyOf") for one in schema.get(key) or () if one != {"type": "null"}]
        return inner[0] if inner and len(set(inner)) == 1 else "json"
    if kinds & {"object", "array"}:
        return "json"
    if kinds == {"string"}:
        return {"date-time": "timestamp", "date": "date"}.get(schema.get("format", ""), "text")
    if kinds == {"integer", "number"}:
        return "double"
    return _TYPES.get(kinds.pop(), "json") if len(kinds) == 1 else "text"
