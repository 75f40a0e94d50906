"""Hints of dlt to a resource: how rows are written, types of columns, what is selected."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError, listed
from crm_assets.declarations.spellings.names import snake_case

OPEN = "_open"
"""Marks a resource, while it is turned, that declares no column itself: further ones may be named beside its hints."""
_WITHOUT_EFFECT = ("parallelized", "max_table_nesting", "file_format", "table_format", "references", "nested_hints")
"""Hints that change neither the rows nor when they are read: nested values are JSON here, whatever the nesting."""
_REFUSED_HINTS = {
    "merge_key": "rows are merged by primary_key alone",
    "schema_contract": "a declaration is the contract: what does not fit it is kept and shown by a check",
    "validator": "rows are checked against the declared columns",
    "spec": "a declaration has no code",
}
_TYPE_NAMES = {"complex": "json", "wei": "decimal", "time": "text"}
_STRATEGIES = ("delete-insert", "upsert", None)
_ROW_HINTS = ("dedup_sort", "hard_delete", "incremental", "merge_key")
"""Column hints that decide which rows are kept."""


def canonical_hints(resource: Document) -> Document:
    """Return a resource whose hints are keys of this dialect.

    Raises:
        SpecError: A hint has no counterpart.
    """
    resource = {key: value for key, value in resource.items() if key not in _WITHOUT_EFFECT}
    for hint, why in _REFUSED_HINTS.items():
        if resource.pop(hint, None) is not None:
            raise SpecError(f"has no counterpart: {why}", f"key {hint}")
    columns = resource.get("columns")
    resource[OPEN] = not columns or (isinstance(columns, dict) and not any(map(_is_typed, columns.values())))
    if isinstance(columns, dict):
        resource["columns"] = dict(_column_from_hint(name, column) for name, column in columns.items())
    if isinstance(key := resource.get("primary_key"), (str, list, tuple)):
        resource = _with_key(resource, [key] if isinstance(key, str) else list(key))
    return _with_disposition(resource)


def with_column(resource: Document, path: str, **column: Any) -> tuple[Document, str]:
    """Return a resource that has a column for a path on the wire, and the column's name."""
    columns = resource.get("columns") or {}
    for name, each in columns.items():
        if isinstance(each, dict) and (each.get("source") or name) == path:
            return resource, name
    name = _free_name(snake_case(path.removeprefix("$.")), columns)
    source = {} if name == path else {"source": path}
    return {**resource, "columns": {**columns, name: {**column, **source}}}, name


def _free_name(name: str, columns: Document) -> str:
    return name if name not in columns else _free_name(f"{name}_x", columns)


def _is_typed(column: object) -> bool:
    return isinstance(column, dict) and "type" in column


def _with_key(resource: Document, key: list[str]) -> Document:
    names = []
    for path in key:
        if resource[OPEN] and isinstance(path, str):
            resource, path = with_column(resource, path, type="text", nullable=False)
        names.append(path)
    return {**resource, "primary_key": names}


def _column_from_hint(name: str, column: Any) -> tuple[str, Any]:
    if not isinstance(column, dict) or "type" in column:
        return name, column
    for hint in _ROW_HINTS:
        if column.get(hint):
            raise SpecError(
                "has no counterpart: which rows are kept is not decided by a column", f"key columns.{name}.{hint}"
            )
    kind = column.get("data_type", "json" if column.get("variant") else "text")
    if kind == "binary":
        raise SpecError("type binary has no counterpart in JSON", f"key columns.{name}")
    source = {} if snake_case(name) == name else {"source": name}
    nullable = {"nullable": False} if column.get("nullable") is False else {}
    described = {"description": column["description"]} if column.get("description") else {}
    return snake_case(name), {"type": _TYPE_NAMES.get(kind, kind), **source, **nullable, **described}


def _with_disposition(resource: Document) -> Document:
    disposition = resource.get("write_disposition")
    if isinstance(disposition, dict):
        if disposition.get("strategy") not in _STRATEGIES:
            strategies = listed(each for each in _STRATEGIES if each)
            raise SpecError(
                f"the strategy {disposition['strategy']!r} has no counterpart; rows are merged as by {strategies}",
                "key write_disposition",
            )
        disposition = resource["write_disposition"] = disposition.get("disposition")
    if disposition == "skip":
        resource = {**{key: value for key, value in resource.items() if key != "write_disposition"}, "selected": False}
    return resource
