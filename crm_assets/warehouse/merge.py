"""Merge: the rows of one read into their table, with when each was first seen and when it last changed."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from crm_assets.declarations.models.resource import Resource
from crm_assets.warehouse.changes import Changes
from crm_assets.warehouse.dlt_schema import dlt_columns
from crm_assets.warehouse.session import WarehouseSession

_HISTORY = ("_first_seen_at", "_changed_at")
_BOOKKEEPING = {"_read_id", "_deleted_at", *_HISTORY}


def merge_rows(
    session: WarehouseSession, resource: Resource, relation: str, rows: int, moment: datetime, *, rekeyed: bool = False
) -> Changes:
    """Put the rows of a read in the place of those with the same keys, in the transaction that is open.

    Rows that were loaded before these times were kept have none until they change. Without a key to recognize them
    by, the rows of every read are new.

    Args:
        session: The open warehouse.
        resource: The table's declaration.
        relation: What to select the rows from; every key is in it once.
        rows: How many there are.
        moment: When they were read.
        rekeyed: Whether the table was written by another key, so that several of its rows may have the same one.
    """
    table = session.table(resource.name)
    if resource.write_disposition != "merge" or not session.query(f"SELECT 1 FROM {table} LIMIT 1"):
        _insert(session, resource, f"{relation} AS s", "%s, %s", moment, moment)
        return Changes(new=rows)
    known = session.column(f"known_{uuid4().hex[:16]}")
    session.write(f"CREATE TEMPORARY TABLE {known} AS {_known_sql(session, resource, relation, rekeyed)}")
    ((matched, unchanged, revived),) = session.query(
        f"SELECT count(*), count(CASE WHEN same THEN 1 END), count(CASE WHEN NOT alive THEN 1 END) FROM {known}"
    )
    if matched:
        session.write(
            f"DELETE FROM {table} AS d WHERE EXISTS (SELECT 1 FROM {known} AS k WHERE {_on(session, resource, 'k')})"
        )
    first = f"CASE WHEN k.same IS NULL THEN %s ELSE k.{session.column('_first_seen_at')} END"
    changed = f"CASE WHEN k.same THEN k.{session.column('_changed_at')} ELSE %s END"
    joined = f"{relation} AS s LEFT JOIN {known} AS k ON {_on(session, resource, 'k', 's')}"
    _insert(session, resource, joined, f"{first}, {changed}", moment, moment)
    session.write(f"DROP TABLE {known}")
    return Changes(rows - matched, matched - unchanged, unchanged, revived)


def _known_sql(session: WarehouseSession, resource: Resource, relation: str, rekeyed: bool) -> str:
    """Return the query of the rows that a read brings again: key, times, whether it is live and the same."""
    keys = ", ".join(f"d.{session.column(key)}" for key in resource.primary_key)
    times = ", ".join(f"d.{session.column(name)}" for name in _HISTORY)
    values = [name for name in dlt_columns(resource) if name not in {*_BOOKKEEPING, *resource.primary_key}]
    same = [f"d.{session.column(name)} IS NOT DISTINCT FROM s.{session.column(name)}" for name in values]
    alive = f"d.{session.column('_deleted_at')} IS NULL"
    once = f"DISTINCT ON ({keys}) " if rekeyed else ""
    return (
        f"SELECT {once}{keys}, {times}, {alive} AS alive, {' AND '.join([alive, *same])} AS same "
        f"FROM {session.table(resource.name)} AS d JOIN {relation} AS s ON {_on(session, resource, 's')}"
    )


def _on(session: WarehouseSession, resource: Resource, left: str, right: str = "d") -> str:
    return " AND ".join(f"{left}.{key} = {right}.{key}" for key in map(session.column, resource.primary_key))


def _insert(session: WarehouseSession, resource: Resource, source: str, times: str, *moments: datetime) -> None:
    staged = [session.column(name) for name in dlt_columns(resource) if name not in _HISTORY]
    names = ", ".join([*staged, *map(session.column, _HISTORY)])
    values = ", ".join(f"s.{name}" for name in staged)
    session.write(
        f"INSERT INTO {session.table(resource.name)} ({names}) SELECT {values}, {times} FROM {source}", *moments
    )
