"""Faults of content: rows that move while a list is read, and records that are not what the declaration promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from crm_assets.declarations import ColumnType
from crm_assets.declarations.json_path import WILDCARD, Segments, dig, place
from crm_assets.sandbox.bodies import list_path
from crm_assets.sandbox.paging import PageRequest
from crm_assets.sandbox.tables import RecordList
from crm_assets_tests.faults.fault import ActiveFaults, Fault, FaultKind

Record = dict[str, Any]
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


@dataclass(frozen=True)
class _MovedRows(RecordList):
    """A list whose slices begin ``first`` and end ``last`` rows later than asked for, and which is ``last`` shorter."""

    rows: RecordList
    first: int
    last: int

    def __len__(self) -> int:
        return max(len(self.rows) - self.last, 0)

    def page(self, start: int, end: int | None = None) -> list[Record]:
        last = len(self.rows) if end is None else end
        return self.rows.page(max(start + self.first, 0), max(last + self.last, 0))

    def position(self, path: Segments, value: str) -> int | None:
        return self.rows.position(path, value)


def with_moved_rows(faults: ActiveFaults, page: PageRequest) -> PageRequest:
    """Return the request for the rows that a reader gets who meets these faults."""
    shift = ("deleted" in faults) - ("inserted" in faults)
    rows = _MovedRows(page.records, shift - ("duplicates" in faults), shift)
    return replace(page, records=rows, start=0 if "page_ignored" in faults else page.start)


def record_lists(body: Any, selector: tuple[str, ...]) -> list[list[Any]]:
    """Return the lists of records in a body, themselves and not copies."""
    found = [body]
    for segment in _path(selector):
        if segment == WILDCARD:
            found = [member for each in found for member in each]
        else:
            found = [each[segment] for each in found]
    return found


def keyed(body: Any, selector: tuple[str, ...], first: int) -> Any:
    """Return the body with its list as an object, keyed by the numbers of the rows from ``first``."""
    path = _path(selector)
    records = {str(number): record for number, record in enumerate(dig(body, path), first)}
    return place(body, path, records) if path else records


def _path(selector: tuple[str, ...]) -> tuple[str, ...]:
    return selector[:-1] if selector[-1:] == (WILDCARD,) else selector


def change_records(faults: ActiveFaults, page: PageRequest, body: Any) -> None:
    """Change the records of a decoded body in place, as the faults say."""
    unwrap = page.resource.endpoint.unwrap
    found = [record for records in record_lists(body, list_path(page.resource.endpoint)) for record in records]
    records = [record[unwrap] if unwrap else record for record in found]
    for fault in faults.faults:
        if fault.kind in CHANGES:
            CHANGES[fault.kind](fault, page, records)


def _key(page: PageRequest) -> Segments:
    """Return the path of the records' key; an empty one where they have none that counts them."""
    keys = {name: page.resource.columns[name] for name in page.resource.primary_key}
    counted = {name: each for name, each in keys.items() if each.type in (ColumnType.TEXT, ColumnType.BIGINT)}
    return next((each.wire_path(name) for name, each in counted.items() if not each.placeholder), ())


def _null_id(_: Fault, page: PageRequest, records: list[Record]) -> None:
    if records and _key(page):
        place(records[0], _key(page), None)


def _long_ids(_: Fault, page: PageRequest, records: list[Record]) -> None:
    key = _key(page)
    for record in records if key else []:
        digits = "".join(filter(str.isdigit, str(dig(record, key))))
        place(record, key, _LONG + int(digits or 0))


def _wrong_type(fault: Fault, page: PageRequest, records: list[Record]) -> None:
    columns = page.resource.columns
    fitting = [name for name, column in columns.items() if not column.placeholder and column.type in _MISFITS]
    name = fault.field or next(each for each in fitting if each not in page.resource.primary_key)
    if records:
        misfit = fault.value if fault.value is not None else _MISFITS.get(columns[name].type, "no object")
        place(records[0], columns[name].wire_path(name), misfit)


def _unknown_field(fault: Fault, _: PageRequest, records: list[Record]) -> None:
    for record in records:
        record[fault.field or "brand_new"] = fault.value if fault.value is not None else {"since": "today"}


def _twin_field(fault: Fault, page: PageRequest, records: list[Record]) -> None:
    columns = page.resource.columns
    name = fault.field or ("name" if "name" in columns else next(iter(columns)))
    path = columns[name].wire_path(name)
    twin = path[-1].capitalize() if path[-1].capitalize() != path[-1] else path[-1].lower()
    for record in records:
        place(record, (*path[:-1], twin), "twin")


def _odd_fields(_: Fault, __: PageRequest, records: list[Record]) -> None:
    for record in records:
        record.update(_ODD_FIELDS)


def _nulls_absent(_: Fault, __: PageRequest, records: list[Record]) -> None:
    for record in records:
        full = _without_nulls(record)
        record.clear()
        record.update(full)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


CHANGES: dict[FaultKind, Callable[[Fault, PageRequest, list[Record]], None]] = {
    "null_id": _null_id,
    "long_ids": _long_ids,
    "wrong_type": _wrong_type,
    "unknown_field": _unknown_field,
    "twin_field": _twin_field,
    "odd_fields": _odd_fields,
    "nulls_absent": _nulls_absent,
}
"""Faults that change records in place."""
