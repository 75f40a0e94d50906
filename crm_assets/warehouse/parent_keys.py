"""Keys of parents that the warehouse knows, for the lists of a parent that is read for its changes alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crm_assets.declarations.models.resource import Parent
from crm_assets.extract.decode.duckdb_types import quoted
from crm_assets.extract.read_report import ReadTask
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession


def loaded_parents(session: WarehouseSession, parent: Parent) -> tuple[Any, ...]:
    """Return the keys of all loaded parents that were not deleted at the source."""
    return _keys_where(session, parent, "true")


def changed_parents(session: WarehouseSession, parent: Parent, last: read_log.LastRead) -> tuple[Any, ...]:
    """Return the keys of the parents whose lists a read of changes has to ask for, beside what the run itself finds.

    Those are the parents that other runs brought since the list was last read, for that run read its parents itself,
    and those it skipped.

    Args:
        session: The open warehouse.
        parent: The parent of the list.
        last: The last complete read of the list.
    """
    brought = session.query(
        f"SELECT read_id FROM {session.table(read_log.TABLE)} "
        f"WHERE resource = %s AND complete AND started_at >= %s AND run_id <> %s",
        parent.resource,
        last.started_at,
        last.run_id,
    )
    # by their values: PostgreSQL takes the rows of unknown reads for most of the table
    reads, passed_over = [read_id for (read_id,) in brought], list(last.details.get("passed_over") or ())
    wanted = {"_read_id": reads, f"CAST({quoted(parent.field)} AS VARCHAR)": passed_over}
    either = [f"{column} IN ({', '.join(['%s'] * len(values))})" for column, values in wanted.items() if values]
    return _keys_where(session, parent, " OR ".join(either), *reads, *passed_over) if either else ()


def change_times(session: WarehouseSession, parent: Parent, above: ReadTask) -> dict[Any, Any]:
    """Return the loaded change times of those parents by key that the parent's next read will show once more.

    Args:
        session: The open warehouse.
        parent: The parent of the list.
        above: What is read of the parent.
    """
    incremental = above.resource.incremental
    if incremental is None or above.since is None:
        return {}
    key, changed = quoted(parent.field), quoted(incremental.field)
    rows = session.query(
        f"SELECT {key}, {changed} FROM {session.table(parent.resource)} "
        f"WHERE {key} IS NOT NULL AND CAST({changed} AS TIMESTAMP WITH TIME ZONE) >= %s",
        # A day is earlier than its moments are, and may be that of another time zone.
        above.since - timedelta(days=2),
    )
    return dict(rows)


def _keys_where(session: WarehouseSession, parent: Parent, where: str, *parameters: Any) -> tuple[Any, ...]:
    column = quoted(parent.field)
    rows = session.query(
        f"SELECT DISTINCT {column} FROM {session.table(parent.resource)} "
        f"WHERE {column} IS NOT NULL AND _deleted_at IS NULL AND ({where}) ORDER BY 1",
        *parameters,
    )
    return tuple(key for (key,) in rows)
