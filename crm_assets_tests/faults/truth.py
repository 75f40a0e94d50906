"""The true rows behind the records of the sandbox, in the declared types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.declarations.json_path import dig
from crm_assets.declarations.models.columns import MICROSECONDS
from crm_assets.sandbox.times import EPOCH, read_instant


def true_row(resource: Resource, record: Mapping[str, Any], requested: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a record that is not wrapped; ``requested`` fills the columns of the request itself."""
    return {name: _value(name, column, record, requested) for name, column in resource.columns.items()}


def _value(name: str, column: Column, record: Mapping[str, Any], requested: Mapping[str, Any]) -> Any:
    if column.placeholder:
        return requested.get(column.placeholder)
    value, decode = dig(record, column.wire_path(name)), _DECODERS.get(column.type)
    return value if value is None or decode is None else decode(column, value)


def from_the_wire(column: Column, value: Any) -> date | datetime:
    """Return the date or the instant (in UTC) that an API sends in a column."""
    zone = ZoneInfo(column.timezone or "UTC")
    if column.format == "iso":
        is_day = column.type is ColumnType.DATE
        return date.fromisoformat(value) if is_day else read_instant(value, zone).astimezone(timezone.utc)
    if column.format == "dotnet":
        instant = EPOCH + int(re.sub(r"\D", "", value)) * timedelta(milliseconds=1)
    elif column.format in MICROSECONDS:
        instant = EPOCH + timedelta(microseconds=int(value * MICROSECONDS[column.format]))
    else:
        read = datetime.strptime(value, column.format)  # noqa: DTZ007  # a pattern may have no offset
        instant = read if read.tzinfo else read.replace(tzinfo=zone)
    return instant.astimezone(zone).date() if column.type is ColumnType.DATE else instant


_DECODERS: dict[ColumnType, Callable[[Column, Any], Any]] = {
    ColumnType.DECIMAL: lambda _, value: Decimal(value),
    ColumnType.TIMESTAMP: from_the_wire,
    ColumnType.DATE: from_the_wire,
}
