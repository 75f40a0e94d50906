"""Faults of content: records that are not what the declaration promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crm_assets.declarations import ColumnType, Resource
from crm_assets.declarations.json_path import dig
from crm_assets.sandbox.faults import Fault, Met
from crm_assets.sandbox.wire import place

_LONG = 4_073_197_535_330_103_116_606_750_064_146
_ODD_FIELDS = {"Company Name (old)": "Stone", "Größe": 3, "😀 mood": "good", "a.b": True, "1st": None, "select": "*"}
_MISFITS: dict[ColumnType, Any] = {
    ColumnType.TEXT: {"text": "an object"},
    ColumnType.BIGINT: "many",
    ColumnType.DOUBLE: "a lot",
    ColumnType.DECIMAL: "priceless",
    ColumnType.BOOL: "perhaps",
    ColumnType.TIMESTAMP: "yesterday",
    ColumnType.DATE: "some day",
}


def shift(met: Met) -> int:
    """Return by how many rows the list has moved under the reader: down when negative."""
    return ("deleted" in met) - ("inserted" in met)


def spoil_records(met: Met, resource: Resource, key: str | None, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records with the faults of their content."""
    if "empty_page" in met:
        return []
    for fault in met.faults:
        spoiler = _SPOILERS.get(fault.kind)
        if spoiler:
            spoiler(fault, resource, key, records)
    return [_without_nulls(record) for record in records] if "nulls_absent" in met else records


def _null_id(_: Fault, resource: Resource, key: str | None, records: list[dict[str, Any]]) -> None:
    if key and records:
        place(records[0], resource.columns[key].wire_path(key), None)


def _long_ids(_: Fault, resource: Resource, key: str | None, records: list[dict[str, Any]]) -> None:
    for record in records if key else []:
        path = resource.columns[key or ""].wire_path(key or "")
        digits = "".join(filter(str.isdigit, str(dig(record, path))))
        place(record, path, _LONG + int(digits or 0))


def _wrong_type(fault: Fault, resource: Resource, _: str | None, records: list[dict[str, Any]]) -> None:
    fitting = [name for name, column in resource.columns.items() if not column.placeholder and column.type in _MISFITS]
    name = fault.field or next(each for each in fitting if each not in resource.primary_key)
    column = resource.columns[name]
    if records:
        misfit = fault.value if fault.value is not None else _MISFITS.get(column.type, "no object")
        place(records[0], column.wire_path(name), misfit)


def _unknown_field(fault: Fault, _: Resource, __: str | None, records: list[dict[str, Any]]) -> None:
    for record in records:
        record[fault.field or "brand_new"] = fault.value if fault.value is not None else {"since": "today"}


def _twin_field(fault: Fault, resource: Resource, key: str | None, records: list[dict[str, Any]]) -> None:
    name = fault.field or ("name" if "name" in resource.columns else key or next(iter(resource.columns)))
    path = resource.columns[name].wire_path(name)
    twin = path[-1].capitalize() if path[-1].capitalize() != path[-1] else path[-1].lower()
    for record in records:
        place(record, (*path[:-1], twin), "twin")


def _odd_fields(_: Fault, __: Resource, ___: str | None, records: list[dict[str, Any]]) -> None:
    for record in records:
        record.update(_ODD_FIELDS)


_SPOILERS: dict[str, Callable[[Fault, Resource, str | None, list[dict[str, Any]]], None]] = {
    "null_id": _null_id,
    "long_ids": _long_ids,
    "wrong_type": _wrong_type,
    "unknown_field": _unknown_field,
    "twin_field": _twin_field,
    "odd_fields": _odd_fields,
}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value
