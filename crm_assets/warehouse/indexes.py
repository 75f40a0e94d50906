"""Indexes, where a destination would read a whole table for the few rows that a read changed.

Of the destinations that are run in tests only PostgreSQL is such a one: DuckDB skips most of a table by the least and
greatest values of its parts. Tables that are always read in full are read in full by their loads as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from crm_assets.declarations.models.resource import Resource
from crm_assets.warehouse import read_log
from crm_assets.warehouse.history import history_table
from crm_assets.warehouse.list_progress import list_index
from crm_assets.warehouse.session import Statement, WarehouseSession

_ODD = "_misfits IS NOT NULL OR _extra IS NOT NULL"
"""Rows that the schema check looks for: few, or every row and then the first ones do."""


def indexes(session: WarehouseSession, resource: Resource) -> list[str]:
    """Return the statements that make the indexes of a table, as far as they are missing."""
    if session.destination != "postgres" or not (resource.incremental or resource.window):
        return []
    table, keys = session.table(resource.name), ", ".join(map(session.column, resource.primary_key))
    made = [
        f"CREATE INDEX IF NOT EXISTS {session.column(f'{resource.name}__{name}')} ON {table} ({columns}){condition}"
        for name, columns, condition in _wanted(session, resource)
    ]
    if resource.history:
        versions = history_table(resource)
        made.append(
            f"CREATE INDEX IF NOT EXISTS {session.column(f'{versions}__by_key')} ON {session.table(versions)} ({keys}) "
            f"WHERE {session.column('_valid_to')} IS NULL"
        )
    return made


def log_indexes(session: WarehouseSession) -> list[Statement]:
    """Return the statements that make the indexes of the read log.

    They are for the last reads of a list, for the read that brought a row, and for entries of a clock that was ahead.
    """
    if session.destination != "postgres":
        return []
    log = session.table(read_log.TABLE)
    wanted = {"by_resource": "resource, finished_at", "by_id": "read_id", "by_time": "finished_at"}
    return [
        (f"CREATE INDEX IF NOT EXISTS {session.column(f'{read_log.TABLE}__{name}')} ON {log} ({columns})", ())
        for name, columns in wanted.items()
    ]


def _wanted(session: WarehouseSession, resource: Resource) -> Iterator[tuple[str, str, str]]:
    """Yield name, columns and condition of each index: what merges, starts of reads and checks look rows up by."""
    if resource.primary_key:
        yield "by_key", ", ".join(map(session.column, resource.primary_key)), ""
    timed = resource.incremental or resource.window
    if timed:
        yield "by_time", session.column(timed.field), ""
    if columns := list_index(resource):
        yield "by_list", ", ".join(map(session.column, columns)), ""
    yield "by_read", "_read_id", ""
    yield "odd", "_read_id", f" WHERE {_ODD}"
