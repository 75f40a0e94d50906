"""Series: the last reads of each resource, and what reads changed since a moment, from the read log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crm_assets.extract.decode.duckdb_types import literal
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession

_READS_PLOTTED = 30
"""Reads of a resource: a month of one that is read daily."""


@dataclass(frozen=True)
class Reading:
    """One read."""

    finished_at: datetime
    mode: str
    complete: bool
    rows: int
    table_rows: int | None
    """Rows of the table after it; ``None`` where nothing was loaded or the read is from before they were counted."""
    requests: int
    seconds: float


@dataclass(frozen=True)
class Change:
    """Rows that reads changed in a table."""

    new: int = 0
    changed: int = 0
    deleted: int = 0

    def __add__(self, other: Change) -> Change:
        return Change(self.new + other.new, self.changed + other.changed, self.deleted + other.deleted)


def last_reads(session: WarehouseSession) -> dict[str, tuple[Reading, ...]]:
    """Return the last reads of each resource of a connection, the latest last."""
    existing = read_log.columns(session)
    if not existing:
        return {}
    table_rows = "table_rows" if "table_rows" in existing else "NULL"
    series: dict[str, list[Reading]] = {}
    for resource, *facts in session.query(
        f"SELECT resource, finished_at, mode, complete, rows, table_rows, requests, seconds_fetch FROM (\n"
        f"  SELECT resource, finished_at, mode, complete, rows, {table_rows} AS table_rows, requests, seconds_fetch,\n"
        f"    row_number() OVER (PARTITION BY resource ORDER BY finished_at DESC) AS place\n"
        f"  FROM {session.table(read_log.TABLE)}) AS placed\n"
        f"WHERE place <= {_READS_PLOTTED} ORDER BY finished_at"
    ):
        series.setdefault(resource, []).append(Reading(*facts))
    return {resource: tuple(reads) for resource, reads in series.items()}


def changes_since(session: WarehouseSession, since: datetime | None) -> dict[str, Change]:
    """Return, for each resource, what reads changed since a moment, or what all of them did."""
    existing = read_log.columns(session)
    if "rows_new" not in existing:
        return {}
    later = f" WHERE finished_at > {literal(since.isoformat())}" if since else ""
    rows = session.query(
        "SELECT resource, coalesce(sum(rows_new), 0), coalesce(sum(rows_changed), 0), coalesce(sum(deleted), 0) "
        f"FROM {session.table(read_log.TABLE)}{later} GROUP BY resource"
    )
    return {resource: Change(int(new), int(changed), int(deleted)) for resource, new, changed, deleted in rows}
