"""Times that carry no offset from UTC, as they are on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from crm_assets.declarations.json_path import dig
from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.records import Records

_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?")


def local_times(resource: Resource, pages: Iterable[Records]) -> dict[str, str]:
    """Return the timestamp columns whose times have no offset, each with an example."""
    paths = {
        name: column.wire_path(name)
        for name, column in resource.columns.items()
        if column.type is ColumnType.TIMESTAMP and not column.placeholder and not column.timezone
    }
    columns: dict[str, str] = {}
    for page in pages if paths else ():
        for record in msgspec.json.decode(page.array):
            for name, path in paths.items():
                value = dig(record, path)
                if isinstance(value, str) and _LOCAL.fullmatch(value):
                    columns.setdefault(name, value)
    return columns
