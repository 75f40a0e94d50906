"""Rows of a declaration, put together again as the records they were."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from crm_assets.declarations import Connection, Resource
from crm_assets.declarations.models.columns import ColumnType
from crm_assets.extract.fetch import ReadResult, fetch
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.read_report import ReadTask

Record = dict[str, Any]


def read(connection: Connection, secrets: dict[str, str], folder: Path) -> dict[str, ReadResult]:
    """Return the first read of every resource of a connection."""
    tasks = [ReadTask(resource) for resource in connection.system.resources]
    spools = folder / "spools"
    spools.mkdir()
    readings = fetch(connection, tasks, secrets, spools, RateLimiter(folder / "budget", None))
    return {reading.task.resource.name: reading for reading in readings}


def records(reading: ReadResult) -> list[Record]:
    """Return the rows of a read as the records they hold, leaves as text."""
    assert reading.staged is not None, reading.report.reason
    rows = [row for table in reading.staged.tables() for row in table.to_pylist()]
    return ordered(_record(row, reading.task.resource) for row in rows)


def ordered(found: Any) -> list[Record]:
    """Return records in an order that depends on nothing but what they hold."""
    return sorted(map(comparable, found), key=lambda record: json.dumps(record, sort_keys=True))


def comparable(value: Any) -> Any:
    """Return a value with numbers and moments as text and without nulls, so that a key read as text is the key."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, (datetime, date)):
        return moment(value.isoformat())
    return moment(str(value).lower() if isinstance(value, bool) else str(value))


def moment(text: str) -> str:
    """Return a moment in UTC, whichever way it is written, and any other text as it is."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc).isoformat()


def _record(row: Record, resource: Resource) -> Record:
    record: Record = json.loads(row["_extra"] or "{}")
    for name, column in resource.columns.items():
        value = row[name]
        if column.type is ColumnType.JSON and value is not None:
            value = json.loads(value)
        if column.format != "iso" and isinstance(value, datetime):
            value = int(value.timestamp() * (1000 if column.format == "epoch_ms" else 1))
        *above, last = (name,) if column.placeholder else column.wire_path(name)
        here = record
        for segment in above:
            here = here.setdefault(segment, {})
        here[last] = value
    return record
