"""The read log: one row per read of a resource, in the warehouse, beside the rows it brought.

The table ``_reads`` is what the ``completeness`` check, ``doctor`` and people with SQL look at. It is written in the
same transaction as the rows and deletes of a load, so a read that is not in it brought nothing. Where a destination has
no transactions, ``details`` says so (``one_transaction`` is false).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from crm_assets.date_range import DateRange, merge_ranges
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.duckdb_types import literal
from crm_assets.warehouse.dlt_schema import dlt_columns
from crm_assets.warehouse.session import Statement, WarehouseSession

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult
    from crm_assets.extract.read_report import ReadTask
    from crm_assets.warehouse.changes import Committed

TABLE = "_reads"
COLUMNS = {
    "read_id": "VARCHAR",
    "run_id": "VARCHAR",
    "resource": "VARCHAR",
    "mode": "VARCHAR",
    "complete": "BOOLEAN",
    "reason": "VARCHAR",
    "date_range": "VARCHAR",
    "rows": "BIGINT",
    "pages": "BIGINT",
    "lists": "BIGINT",
    "requests": "BIGINT",
    "retries": "BIGINT",
    "bytes": "BIGINT",
    "duplicates": "BIGINT",
    "rejected": "BIGINT",
    "strays": "BIGINT",
    "rows_new": "BIGINT",
    "rows_changed": "BIGINT",
    "rows_unchanged": "BIGINT",
    "table_rows": "BIGINT",
    "deleted": "BIGINT",
    "delete_refused": "BIGINT",
    "reported_total": "BIGINT",
    "fields": "VARCHAR",
    "seconds_fetch": "DOUBLE PRECISION",
    "seconds_waited": "DOUBLE PRECISION",
    "seconds_decode": "DOUBLE PRECISION",
    "started_at": "TIMESTAMP WITH TIME ZONE",
    "finished_at": "TIMESTAMP WITH TIME ZONE",
    "details": "VARCHAR",
}
"""The columns and their types."""
_CLOCKS_DIFFER = timedelta(hours=1)
"""By how much the clocks of machines may differ that load into one warehouse."""
_LONGEST_RUN = timedelta(days=1)
"""Age of the latest entry that is put back, so that what the present run has read is later."""
_RECENT = 20
"""Reads to compare the last one with: enough to know what is usual, few enough to forget what no longer is."""
_DETAILS = (
    "declaration",
    "found",
    "assumed",
    "doubts",
    "moved",
    "unproven",
    "duplicate_keys",
    "filtered",
    "rejects",
    "absent",
    "misfits",
    "unknown",
    "columns",
    "column_changes",
    "skipped",
    "passed_over",
    "settled",
    "unsettled",
    "missed",
    "missing_parents",
    "gone_parents",
    "parents",
    "concurrency",
)


@dataclass(frozen=True)
class LastRead:
    """The latest entry of a resource."""

    run_id: str
    mode: str
    complete: bool
    reason: str
    date_range: str
    rows: int
    pages: int
    requests: int
    duplicates: int
    rejected: int
    strays: int
    delete_refused: int
    started_at: datetime
    finished_at: datetime
    details: dict[str, Any]


def columns(session: WarehouseSession) -> dict[str, tuple[str, bool]]:
    """Return type and nullability of the read log's columns; empty where it does not exist yet.

    In a log of an earlier version ``span`` is renamed first: whatever is asked of the log, asks for ``date_range``.
    """
    existing = session.columns(TABLE)
    if "span" in existing and "date_range" not in existing:
        session.execute([(f"ALTER TABLE {session.table(TABLE)} RENAME COLUMN span TO date_range", ())])
        return session.columns(TABLE)
    return existing


def create(session: WarehouseSession) -> list[Statement]:
    """Return the statements that make the read log, or what an older one lacks."""
    existing = columns(session)
    if not existing:
        declared = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        return [(f"CREATE TABLE IF NOT EXISTS {session.table(TABLE)} ({declared})", ())]
    missing = {name: kind for name, kind in COLUMNS.items() if name not in existing}
    return [(f"ALTER TABLE {session.table(TABLE)} ADD COLUMN {name} {kind}", ()) for name, kind in missing.items()]


def corrections(session: WarehouseSession) -> list[Statement]:
    """Return the statements that put entries back that a clock made which was ahead.

    They would stand for the latest reads until the clock has caught up, and hide all that follow.
    """
    table, now = session.table(TABLE), datetime.now(timezone.utc)
    ahead = session.query(
        f"SELECT read_id, started_at, finished_at FROM {table} WHERE finished_at > %s", now + _CLOCKS_DIFFER
    )
    lead = max((finished for _, _, finished in ahead), default=now) - (now - _LONGEST_RUN)
    moved = f"UPDATE {table} SET started_at = %s, finished_at = %s WHERE read_id = %s"
    return [(moved, (started - lead, finished - lead, read_id)) for read_id, started, finished in ahead]


def entry(session: WarehouseSession, reading: ReadResult, run_id: str, done: Committed | None = None) -> Statement:
    """Return the statement that enters a read.

    Args:
        session: The open warehouse.
        reading: The read.
        run_id: The Dagster run.
        done: What it changed in its table; ``None`` where nothing was loaded.
    """
    report, before = reading.report, reading.task.found_before
    facts = asdict(report)
    facts["missed"] = {key: [str(dates) for dates in merge_ranges(ranges)] for key, ranges in report.missed.items()}
    facts |= {
        "run_id": run_id,
        "resource": reading.task.resource.name,
        "date_range": ", ".join(str(dates) for dates in merge_ranges(list(report.date_ranges)))
        or (report.since.isoformat() if report.since else ""),
        "rows_new": done and done.changes.new,
        "rows_changed": done and done.changes.changed,
        "rows_unchanged": done and done.changes.unchanged,
        "table_rows": done and done.table_rows,
        "deleted": done.deleted if done else 0,
        "delete_refused": done.refused if done else 0,
        "fields": json.dumps(_field_facts(reading)),
        "details": json.dumps(
            {name: facts[name] for name in _DETAILS}
            | {
                "one_transaction": session.capabilities.transactions,
                "history": reading.task.resource.history,
                "rows_by": rows_by(reading.task.resource),
                "counted": done is not None and done.counted,
                "inexact": {name: name in before.inexact for name in before.columns},
            },
            default=str,
        ),
    }
    names, marks = ", ".join(COLUMNS), ", ".join(["%s"] * len(COLUMNS))
    return f"INSERT INTO {session.table(TABLE)} ({names}) VALUES ({marks})", tuple(facts[name] for name in COLUMNS)


def rows_by(resource: Resource) -> list[str]:
    """Return what a read's rows are recognized by: how they are written, and the columns of the key."""
    return [resource.write_disposition, *resource.primary_key]


def _field_facts(reading: ReadResult) -> dict[str, Any]:
    """Return what the records of a read looked like: declared columns and their types, and fields that deviated."""
    report, hints = reading.report, dlt_columns(reading.task.resource)
    return {
        "columns": {name: hints[name]["data_type"] for name in reading.task.resource.columns},
        "undeclared": sorted(report.unknown),
        "misfits": sorted(report.misfits),
        "absent": sorted(report.absent),
    }


def complete_reads_sql(session: WarehouseSession, resource: str, names: Sequence[str], where: str = "true") -> str:
    """Return the query of the last complete reads of a resource, the latest first."""
    return (
        f"SELECT {', '.join(names)} FROM {session.table(TABLE)} WHERE resource = {literal(resource)} AND complete "
        f"AND {where} ORDER BY finished_at DESC LIMIT {_RECENT}"
    )


def complete_reads(
    session: WarehouseSession, resource: str, names: Sequence[str], where: str = "true"
) -> list[tuple[Any, ...]]:
    """Return columns of the last complete reads of a resource, the latest first; none from a log that lacks one."""
    if not {*names} <= columns(session).keys():
        return []
    return session.query(complete_reads_sql(session, resource, names, where))


def last_read(session: WarehouseSession, resource: str) -> LastRead | None:
    """Return the latest entry of a resource, or ``None`` where it was never read."""
    if not columns(session):
        return None
    return _latest(session, resource)


def last_complete(session: WarehouseSession, resource: str) -> LastRead | None:
    """Return the latest entry of a complete read of a resource, or ``None``."""
    return _latest(session, resource, "complete") if columns(session) else None


def last_loaded(session: WarehouseSession, tasks: Iterable[ReadTask]) -> dict[str, datetime]:
    """Return when rows of what tasks read were last loaded, by resource; of windows, those of the same days."""
    if not columns(session):
        return {}
    rows = session.query(f"SELECT resource, mode, date_range, finished_at FROM {session.table(TABLE)} WHERE complete")
    wanted = {task.resource.name: task for task in tasks}
    loaded: dict[str, datetime] = {}
    for name, mode, text, finished in rows:
        ranges = [DateRange.parse(dates) for dates in text.split(", ") if dates] if mode == "window" else []
        if name in wanted and (not ranges or _overlap(ranges, wanted[name].reach)):
            loaded[name] = max(loaded.get(name, finished), finished)
    return loaded


def _overlap(some: Iterable[DateRange], others: Sequence[DateRange]) -> bool:
    return any(dates.start < other.end and other.start < dates.end for dates in some for other in others)


def is_unsettled(session: WarehouseSession, resource: str) -> bool:
    """Whether the last full refresh is unproven and the one before it is not: a second one in a row settles no more."""
    rows = session.query(
        f"SELECT details FROM {session.table(TABLE)} WHERE resource = %s AND mode = 'full_refresh' AND complete "
        f"ORDER BY finished_at DESC LIMIT 2",
        resource,
    )
    unproven = [bool(json.loads(details).get("unproven")) for (details,) in rows]
    return unproven[:1] == [True] and unproven[1:] != [True]


def _latest(session: WarehouseSession, resource: str, where: str = "true") -> LastRead | None:
    names = list(LastRead.__dataclass_fields__)
    rows = session.query(last_read_sql(session, resource, names, where))
    return LastRead(**{**dict(zip(names, rows[0], strict=True)), "details": json.loads(rows[0][-1])}) if rows else None


def last_read_sql(session: WarehouseSession, resource: str, names: list[str], where: str = "true") -> str:
    """Return the query of the latest entry that fulfils a condition."""
    return (
        f"SELECT {', '.join(names)} FROM {session.table(TABLE)} WHERE resource = {literal(resource)} AND {where} "
        f"ORDER BY finished_at DESC LIMIT 1"
    )
