"""Repairs of one resource: selector, paging, parent and columns."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.importers.prose import FieldNote
from crm_assets.declarations.importers.repairs import Repairs
from crm_assets.declarations.json_path import parse_path, path_text
from crm_assets.declarations.models.base import placeholders
from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.parents import bound


def repair_selector(resource: dict[str, Any], listed: list[FieldNote], repairs: Repairs) -> None:
    """Write a selector given as a list as a path; an empty one, or none, is read from the fields the document lists."""
    name, endpoint = resource["name"], resource["endpoint"]
    selector = endpoint.get("data_selector")
    if isinstance(selector, str):
        return
    if selector:
        endpoint["data_selector"] = path_text(parse_path(selector))
        what = f"{selector} written as {endpoint['data_selector']}"
        repairs.note("changed", "data_selector", what, "dlt takes a path, not a list of keys", name)
        return
    path = _path_to(name, listed)
    if path:
        endpoint["data_selector"] = path_text(path)
        why = "no key leads to the list, but the schema section shows it there"
        repairs.note("changed", "data_selector", f"{selector} replaced by {path_text(path)}", why, name)
    else:
        why = f"{selector} leads to no list, and the document doesn't show it either"
        repairs.note("open", "data_selector", "where in the answer is the list of records?", why, name)


def _path_to(name: str, fields: list[FieldNote]) -> tuple[str, ...]:
    for field in fields:
        if field.name == name and field.fields:
            return (name,)
        below = _path_to(name, field.fields)
        if below:
            return (field.name, *below)
    return ()


def repair_paginator(resource: dict[str, Any], repairs: Repairs) -> None:
    """Add what a paginator leaves out: itself, its parameter, its first page and the rule that ends the list."""
    name, endpoint = resource["name"], resource["endpoint"]
    paginator = endpoint.get("paginator")
    if paginator is None:
        endpoint["paginator"] = {"type": "single_page"}
        repairs.note("assumed", "paginator", "single_page added", "the document gives no paginator for this list", name)
    if not isinstance(paginator, dict) or paginator.get("type") not in ("page_number", "offset"):
        return
    if paginator["type"] == "page_number":
        _assume(paginator, "page_param", "page", "the document names no parameter for the page", repairs, name)
        why = "the document names no first page; most APIs count from 1, dlt would start at 0"
        _assume(paginator, "start_from_page", 1, why, repairs, name)
    why = "without a rule a list may be read forever or be cut short; an empty page ends any list"
    _assume(paginator, "end", "empty_page", why, repairs, name)


def _assume(paginator: dict[str, Any], key: str, value: str | int, why: str, repairs: Repairs, name: str) -> None:
    if key not in paginator:
        paginator[key] = value
        repairs.note("assumed", f"paginator.{key}", f"{value} added", why, name)


def repair_parent(resource: dict[str, Any], names: list[str], repairs: Repairs) -> None:
    """Name the parent that fills a placeholder of the path; one that nothing fills is an open question."""
    try:
        parent = bound(resource, names).get("parent")
    except SpecError as error:
        repairs.note("open", "parent", "which one?", error.problem, resource["name"])
        return
    if parent:
        what = f"{{{parent['placeholder']}}} bound to {parent['resource']}"
        why = 'the document leaves it open; the rule is: singular of a resource and "_id"'
        repairs.note("assumed", "parent", what, why, resource["name"])
    for name in placeholders(resource["endpoint"].get("path")):
        if not parent or name != parent["placeholder"]:
            why = "the document names no resource or value for it"
            repairs.note("open", "path", f"what fills {{{name}}}?", why, resource["name"])


def repair_columns(resource: dict[str, Any], keys: list[str], listed: list[FieldNote], repairs: Repairs) -> None:
    """Declare the columns that the document lists for a record, and at least the primary key."""
    if "columns" in resource:
        return
    name = resource["name"]
    fields = _fields_of_record(listed, resource["endpoint"].get("data_selector"))
    columns = {field.name: _column(field) for field in fields}
    if columns:
        why = "string is text, object and array are json, number is bigint for ids, totals and counts, else double"
        repairs.note("changed", "columns", "declared from the schema section", why, name)
    for key in keys:
        if key not in columns:
            why = "the document lists no such field; what else the API sends is kept in _extra until it is declared"
            repairs.note("assumed", f"columns.{key}", "text", why, name)
        elif columns[key]["nullable"]:
            repairs.note("changed", f"columns.{key}", "null not allowed", "rows are merged on it", name)
        columns[key] = {"type": "text", **columns.get(key, {}), "nullable": False}
    resource["columns"] = columns


def _fields_of_record(fields: list[FieldNote], selector: object) -> list[FieldNote]:
    """Return the fields of a record: those below the selector where the document lists the whole answer."""
    here = fields
    for segment in parse_path(selector) if isinstance(selector, str) else ():
        below = next((field.fields for field in here if field.name == segment), None)
        if below is None:
            return fields
        here = below
    return here


def _column(field: FieldNote) -> dict[str, Any]:
    column: dict[str, Any] = {"type": field.type.value, "nullable": field.nullable}
    if field.fields and field.type is ColumnType.JSON:
        column["description"] = "Holds " + ", ".join(below.name for below in field.fields)
    return column
