"""Progress of the lists of a resource: how far each was read, from the change times of its own rows.

A list was read up to the greatest change time that lies before the beginning of the read that brought it. Where there
is none, it was read up to the beginning of the last read that brought rows of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime, timezone
from zoneinfo import ZoneInfo

from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.duckdb_types import literal
from crm_assets.extract.listings import list_key
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import Statement, WarehouseSession

_ROWS_PER_LOOKUP = 50
"""Rows that PostgreSQL groups in the time in which it looks up one list by index."""


def list_columns(resource: Resource) -> list[str]:
    """Return the columns that say which list a row is of; none where there is one list, or a column is missing."""
    placeholders = [resource.parent.placeholder] if resource.parent else [*resource.for_each]
    columns = [name for name in map(resource.column_of, placeholders) if name]
    return columns if len(columns) == len(placeholders) else []


def list_ends(session: WarehouseSession, resource: Resource, zone: ZoneInfo) -> dict[str, date | datetime]:
    """Return how far each list was read, by its key; lists without trusted rows are left out.

    Args:
        session: The open warehouse; the table and the read log exist.
        resource: The lists, which are read by change and have columns that say which of them a row is of.
        zone: The zone of change times that are days.
    """
    query = _Query(session, resource, zone)
    sql, parameters = query.by_index() if _lookups_pay(session, resource) else query.by_grouping()
    rows = session.query(sql, *parameters)
    return {list_key(None, keys): past or began for *keys, past, began in rows if past or began}


def _lookups_pay(session: WarehouseSession, resource: Resource) -> bool:
    """Whether an index answers sooner than a look at all rows: PostgreSQL has one, and its lists are long."""
    if session.destination != "postgres":
        return False
    ((lists, rows),) = session.query(
        f"SELECT max(lists), max(table_rows) FROM {session.table(read_log.TABLE)} WHERE resource = %s AND complete",
        resource.name,
    )
    if not rows or not lists or rows < lists * _ROWS_PER_LOOKUP:
        return False
    made = session.query(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = %s AND tablename = %s", session.dataset, resource.name
    )
    columns = ", ".join(list_index(resource))
    return any(definition.replace('"', "").endswith(f"({columns})") for (definition,) in made)


def list_index(resource: Resource) -> list[str]:
    """Return the columns of the index by which the end of each list is looked up; none where there is one list."""
    columns = list_columns(resource)
    return [*columns, resource.incremental.field] if resource.incremental and columns else []


class _Query:
    """The two ways to ask for the end of each list.

    Names are qualified: a CRM may have columns that are called like those of the read log.
    """

    def __init__(self, session: WarehouseSession, resource: Resource, zone: ZoneInfo) -> None:
        *keys, changed = map(session.column, list_index(resource))
        skipped = _skipped(session, resource)
        self._parameters = [value for read_id, values in skipped for value in (read_id, *values)]
        self._table, self._changed, self._keys = session.table(resource.name), f"d.{changed}", keys
        self._named = " AND ".join(f"{name} IS NOT NULL" for name in _of("d", keys))
        broken_off = " AND ".join(["d._read_id = %s", *(f"CAST({name} AS VARCHAR) = %s" for name in _of("d", keys))])
        trusted = f"{self._changed} IS NOT NULL" + f" AND NOT ({broken_off})" * len(skipped)
        reads = _reads(session, resource, zone)
        self._rows = f"{self._table} AS d JOIN ({reads}) AS r ON d._read_id = r.read_id WHERE {trusted}"

    def by_grouping(self) -> Statement:
        """Return the query that looks at all rows."""
        keys = ", ".join(_of("d", self._keys))
        past = f"max(CASE WHEN {self._changed} <= r.bound THEN {self._changed} END)"
        sql = f"SELECT {keys}, {past}, max(r.began) FROM {self._rows} AND {self._named} GROUP BY {keys}"
        return sql, tuple(self._parameters)

    def by_index(self) -> Statement:
        """Return the query that goes from list to list in the index, and looks at the newest rows of each."""
        keys, listed = ", ".join(_of("d", self._keys)), ", ".join(_of("l", self._keys))
        first = f"SELECT {keys} FROM {self._table} AS d WHERE {self._named}"
        same = " AND ".join(f"d.{name} = l.{name}" for name in self._keys)
        past = f"{self._rows} AND {same} AND {self._changed} <= r.bound ORDER BY {self._changed} DESC LIMIT 1"
        sql = (
            f"WITH RECURSIVE lists AS (({first} ORDER BY {keys} LIMIT 1) UNION ALL SELECT further.* FROM lists AS l "
            f"CROSS JOIN LATERAL ({first} AND ({keys}) > ({listed}) ORDER BY {keys} LIMIT 1) AS further) "
            f"SELECT {listed}, past.newest, "
            f"CASE WHEN past.newest IS NULL THEN (SELECT max(r.began) FROM {self._rows} AND {same}) END "
            f"FROM lists AS l LEFT JOIN LATERAL (SELECT {self._changed} AS newest FROM {past}) AS past ON true"
        )
        return sql, (*self._parameters, *self._parameters)


def _of(alias: str, names: Iterable[str]) -> list[str]:
    return [f"{alias}.{name}" for name in names]


def _reads(session: WarehouseSession, resource: Resource, zone: ZoneInfo) -> str:
    """Return the query of the complete reads: when each began, and the greatest change time that is no later."""
    incremental, now = resource.incremental, datetime.now(timezone.utc)
    began = f"LEAST(started_at, TIMESTAMP WITH TIME ZONE '{now.isoformat()}')"  # a clock may have been ahead
    by_day = incremental and resource.columns[incremental.field].type is ColumnType.DATE
    bound = f"CAST({began} AT TIME ZONE {literal(str(zone))} AS DATE)" if by_day else began
    log, name = session.table(read_log.TABLE), literal(resource.name)
    return f"SELECT read_id, {began} AS began, {bound} AS bound FROM {log} WHERE resource = {name} AND complete"


def _skipped(session: WarehouseSession, resource: Resource) -> list[tuple[str, list[str]]]:
    """Return the reads that skipped a list, and its key: rows of it may be the first pages of a list that broke off."""
    reads = session.query(
        f"SELECT read_id, details FROM {session.table(read_log.TABLE)} WHERE resource = %s AND complete "
        f"AND details LIKE %s",
        resource.name,
        '%"passed_over": ["%',
    )
    several = resource.parent is None and len(resource.for_each) > 1
    return [
        (read_id, json.loads(key) if several else [key])
        for read_id, details in reads
        for key in json.loads(details)["passed_over"]
    ]
