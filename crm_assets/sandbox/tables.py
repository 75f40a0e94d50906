"""One DuckDB table per resource, and the lists that requests ask for as queries over it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import date
from functools import cached_property, lru_cache
from typing import Any

import msgspec
import pyarrow as pa
from duckdb import DuckDBPyConnection as Database

from crm_assets.declarations import Connection
from crm_assets.declarations.json_path import dig
from crm_assets.sandbox.filters import UNBOUNDED, Bounds
from crm_assets.sandbox.population import Population
from crm_assets.sandbox.records import RecordMaker, StoredRow
from crm_assets.sandbox.times import DAY, Span, microseconds, midnight
from crm_assets.sandbox.wire import Record

_CHANGED_SHARE, _DELETED_SHARE, _NEW_SHARE = 20, 50, 40
"""One row in that many changes, goes or comes in a day."""
_ENOUGH_TO_LOSE = 20
_SCHEMA = pa.schema([
    ("serial", pa.int64()),
    ("parent", pa.int64()),
    ("moment", pa.int64()),
    ("record", pa.string()),
])  # fmt: skip
# A row is there from the state it came with until the one it went with.
_CREATE = "CREATE TABLE {name} (serial BIGINT, parent BIGINT, moment BIGINT, record VARCHAR, came BIGINT, went BIGINT)"
_CONDITIONS = {
    "state": "came <= $state AND (went IS NULL OR went > $state)",
    "parent": "parent = $parent",
    "start": "moment >= $start",
    "end": "moment < $end",
}
# An aggregate is one row for all its sightings between the bounds: the last of them.
_ONCE = "QUALIFY row_number() OVER (PARTITION BY serial ORDER BY moment DESC) = 1"
_POSITION_QUERY = """
    SELECT position FROM (SELECT record, row_number() OVER (ORDER BY serial, moment) - 1 AS position FROM ({rows}))
    WHERE json_extract_string(record, $pointer) = $value LIMIT 1
"""


class RecordList:
    """The records one list of an API consists of, as a query; they are read when they are asked for.

    Args:
        table: Where they are.
        state: Days that have passed.
        parent: Which of the parent's rows they belong to; ``None`` for those of all.
        bounds: Span of the field that date filters speak of.
    """

    def __init__(self, table: Table, state: int, parent: int | None, bounds: Bounds) -> None:
        start, end = (instant and microseconds(instant) for instant in bounds)
        limits = {"state": state, "parent": parent, "start": start, "end": end}
        self._values = {name: value for name, value in limits.items() if value is not None}
        wanted = [_CONDITIONS[name] for name in self._values]
        self._table = table
        self._query = f"SELECT serial, moment, record FROM {table.name} WHERE {' AND '.join(wanted)} {_ONCE}"

    @cached_property
    def _count(self) -> int:
        return int(self._table.query(f"SELECT count(*) FROM ({self._query})", self._values)[0][0])

    def __len__(self) -> int:
        return self._count

    def page(self, start: int, end: int | None = None) -> list[Record]:
        """Return the records from one position to another, which is excluded."""
        limit = "" if end is None else f"LIMIT {max(end - start, 0)}"
        page = f"SELECT record FROM ({self._query}) ORDER BY serial, moment {limit} OFFSET {start}"
        return [msgspec.json.decode(text) for (text,) in self._table.query(page, self._values)]

    def position(self, path: Sequence[str], value: str) -> int | None:
        """Return the position of the first record that has this value, compared as text, at a path."""
        pointer = "".join("/" + segment.replace("~", "~0").replace("/", "~1") for segment in path)
        values = {**self._values, "pointer": pointer, "value": value}
        rows = self._table.query(_POSITION_QUERY.format(rows=self._query), values)
        return int(rows[0][0]) if rows else None


class Table:
    """The rows of a resource in all states that were asked for; a state is a number of days that have passed.

    Args:
        connection: The connection.
        resource: Name of the resource.
        population: The people of the connection.
        database: Where the rows are kept.
        start: First day with data.
        today: The last.
    """

    def __init__(
        self,
        connection: Connection,
        resource: str,
        population: Population,
        database: Database,
        start: date,
        today: date,
    ) -> None:
        self.resource, self.zone = connection.system.resource(resource), connection.zone
        self.name = f'"{connection.name}/{resource}"'
        self.records = lru_cache(maxsize=256)(self._records)
        self.values = lru_cache(maxsize=8)(self._list_values)
        self._maker = RecordMaker(population, self.resource, self.zone)
        self._population, self._database, self._today = population, database, today
        last = today + DAY if self.resource.window else today
        self._span = Span(midnight(start, self.zone), midnight(last, self.zone))
        self.days = -1
        """Days that have passed in the rows made so far."""
        self._lock = threading.Lock()
        self.query(_CREATE.format(name=self.name), {})

    def query(self, sql: str, values: dict[str, Any]) -> list[Any]:
        """Return the rows of a query."""
        return self._database.cursor().execute(sql, values).fetchall()

    def _records(self, state: int, parent: int | None = None, bounds: Bounds = UNBOUNDED) -> RecordList:
        with self._lock:
            for day in range(self.days + 1, state + 1):
                self._pass_a_day(day) if day else self._begin()
                self.days = day
        return RecordList(self, state, parent, bounds)

    def _list_values(self, column: str, state: int) -> list[Any]:
        """Return the values of a column on the wire, row by row."""
        path = self.resource.columns[column].wire_path(column)
        return [dig(record, path) for record in self.records(state).page(0)]

    def _begin(self) -> None:
        self.insert(self._maker.rows(range(self._population.size(self.resource.name)), self._span), state=0)

    def _pass_a_day(self, state: int) -> None:
        """Let rows change, go and come on the day that leads to a state."""
        name, day = self.resource.name, self._today + (state - 1) * DAY
        span, draws = Span(midnight(day, self.zone), midnight(day + DAY, self.zone)), self._population.draws(name, day)
        present = f"SELECT serial, parent, moment, record FROM {self.name} WHERE went IS NULL ORDER BY serial, moment"
        rows = [StoredRow(*row) for row in self.query(present, {})]
        serials = [*dict.fromkeys(row.serial for row in rows)]
        count = len(serials)
        losses = (
            count // _DELETED_SHARE + 1 if count >= _ENOUGH_TO_LOSE and name not in self._population.families else 0
        )
        touched = draws.sample(serials, min(count, losses + count // _CHANGED_SHARE + 1))
        self.retire(touched, state)
        changed = {*touched[losses:]}
        self.insert((self._maker.changed(row, span, draws) for row in rows if row.serial in changed), state)
        if self.resource.parent is None or self._population.size(self.resource.parent.resource):
            ((last,),) = self.query(f"SELECT max(serial) FROM {self.name}", {})
            first = 0 if last is None else last + 1
            self.insert(self._maker.rows(range(first, first + count // _NEW_SHARE + 1), span), state)

    def retire(self, serials: Sequence[int], state: int) -> None:
        """Let rows be gone from a state on."""
        gone = f"UPDATE {self.name} SET went = $state WHERE went IS NULL AND list_contains($serials, serial)"
        self.query(gone, {"state": state, "serials": list(serials)})

    def insert(self, rows: Iterable[StoredRow], state: int) -> None:
        """Let rows be there from a state on."""
        fresh = pa.Table.from_pylist([row._asdict() for row in rows], _SCHEMA)
        cursor = self._database.cursor()
        cursor.register("fresh", fresh)
        cursor.execute(f"INSERT INTO {self.name} SELECT *, $state, NULL FROM fresh", {"state": state})
        cursor.unregister("fresh")
