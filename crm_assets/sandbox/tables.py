"""One DuckDB table per resource and day, and the lists that requests ask for as queries over it."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timezone
from functools import cached_property, lru_cache
from typing import Any

import msgspec
import pyarrow as pa
from duckdb import DuckDBPyConnection as Database

from crm_assets.declarations import ColumnType, Connection
from crm_assets.declarations.json_path import dig
from crm_assets.sandbox.changes import Changes
from crm_assets.sandbox.filters import UNBOUNDED, Bounds
from crm_assets.sandbox.population import Plan, Population
from crm_assets.sandbox.records import Record, RecordMaker
from crm_assets.sandbox.times import DAY, Span, from_the_wire, midnight, on_the_wire, read_instant
from crm_assets.sandbox.wire import place

_SCHEMA = pa.schema([
    ("serial", pa.int64()),  # number of the row; the sightings of an aggregate share one
    ("subject", pa.int64()),  # number of the person it is about
    ("parent", pa.int64()),  # which of the parent's rows it belongs to
    ("moment", pa.timestamp("us")),  # the instant a date filter speaks of, in UTC
    ("record", pa.string()),
])  # fmt: skip
# An aggregate is one row for all its sightings between the bounds: the last of them, with the instant of the first.
_AGGREGATED = """
    SELECT *, min(moment) OVER (PARTITION BY parent, serial) AS first_seen FROM ({rows})
    QUALIFY row_number() OVER (PARTITION BY parent, serial ORDER BY moment DESC) = 1
"""
_PLAIN = "SELECT *, NULL AS first_seen FROM ({rows})"
_POSITION = """
    SELECT position FROM (SELECT record, row_number() OVER (ORDER BY serial, moment) - 1 AS position FROM ({rows}))
    WHERE json_extract_string(record, $pointer) = $value LIMIT 1
"""


class RecordList(Sequence[Record]):
    """The records one list of an API consists of, as a query; they are read when they are asked for.

    Args:
        table: Where they are.
        parent: Which of the parent's rows they belong to; ``None`` for those of all.
        bounds: Span of the field that date filters speak of.
    """

    def __init__(self, table: Table, parent: int | None, bounds: Bounds) -> None:
        start, end = bounds.start and _naive(bounds.start), bounds.end and _naive(bounds.end)
        wanted = {"parent": parent, "start": start, "end": end}
        self._table = table
        self._given = {name: value for name, value in wanted.items() if value is not None}
        conditions = {"parent": "parent = $parent", "start": "moment >= $start", "end": "moment < $end"}
        where = " AND ".join(conditions[name] for name in self._given) or "true"
        rows = f"SELECT * FROM {table.name} WHERE {where}"
        self._query = (
            _AGGREGATED.format(rows=rows) if table.aggregated else f"SELECT *, NULL AS first_seen FROM ({rows})"
        )

    @cached_property
    def _count(self) -> int:
        return int(self._table.query(f"SELECT count(*) FROM ({self._query})", self._given)[0][0])

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: Any) -> Any:
        if not isinstance(place, slice):
            return self[place : place + 1][0]
        first, last = place.start or 0, place.stop
        limit = "" if last is None else f"LIMIT {max(last - first, 0)}"
        page = f"SELECT record, first_seen FROM ({self._query}) ORDER BY serial, moment {limit} OFFSET {first}"
        found = self._table.query(page, self._given)
        if first == 0 and (last is None or len(found) < last):
            self._count = len(found)  # most lists have one page: that saves the query that counts
        return [self._table.record(text, first_seen) for text, first_seen in found]

    def position(self, path: Sequence[str], value: str) -> int | None:
        """Return the position of the first record that has this value, compared as text, at a path."""
        pointer = "".join("/" + segment.replace("~", "~0").replace("/", "~1") for segment in path)
        given = {**self._given, "pointer": pointer, "value": value}
        found = self._table.query(_POSITION.format(rows=self._query), given)
        return int(found[0][0]) if found else None


class Table:
    """All rows of a resource at the end of a day.

    Args:
        tables: The connection's tables.
        resource: Name of the resource.
        state: Days that have passed.
    """

    def __init__(self, tables: Tables, resource: str, state: int) -> None:
        self._tables, self._state = tables, state
        self._values: dict[str, list[Any]] = {}
        self.resource = tables.connection.system.resource(resource)
        self.maker = tables.maker(resource)
        self.name = f'"{tables.connection.name}/{resource}/{state}"'
        self.aggregated = bool(self.resource.window and self.resource.window.per_partition)
        if state <= 0:
            self._create(self._first_rows(), "")
        else:
            self._pass_a_day(tables.table(resource, state - 1), tables.today + (state - 1) * DAY)

    def query(self, sql: str, given: Mapping[str, Any] | None = None) -> list[Any]:
        """Return the rows of a query."""
        return self._tables.database.cursor().execute(sql, dict(given or {})).fetchall()

    def record(self, text: str, first_seen: datetime | None = None) -> Record:
        """Return a stored record, an aggregate with the day it was first seen on."""
        record: Record = msgspec.json.decode(text)
        window = self.resource.window
        if first_seen is None or window is None:
            return record
        first = first_seen.replace(tzinfo=timezone.utc)
        for name, column in self.maker.calendar.columns.items():
            if column.type is ColumnType.DATE and name != window.field:
                place(record, column.wire_path(name), on_the_wire(column, first, self._tables.connection.zone))
        return record

    @cached_property
    def parents(self) -> Table | None:
        """The table of the rows this one's belong to, if there is one."""
        parent = self.resource.parent
        return self._tables.table(parent.resource, self._state) if parent else None

    @cached_property
    def subjects(self) -> list[int]:
        """Number of the person each row is about."""
        return [subject for (subject,) in self.query(f"SELECT subject FROM {self.name} ORDER BY serial, moment")]

    def values(self, column: str) -> list[Any]:
        """Return the values of a column on the wire, row by row."""
        if column not in self._values:
            path = self.resource.columns[column].wire_path(column)
            self._values[column] = [dig(record, path) for record in RecordList(self, None, UNBOUNDED)[:]]
        return self._values[column]

    def _first_rows(self) -> pa.Table:
        population, name = self._tables.population, self.resource.name
        plan = population.first(name)
        first, last = self._tables.span
        return self._rows(
            range(len(plan.subjects)), plan, Span(first, last + DAY if self.resource.window else last), "first"
        )

    def _pass_a_day(self, before: Table, day: date) -> None:
        population, name, zone = self._tables.population, self.resource.name, self._tables.connection.zone
        span = Span(midnight(day, zone), midnight(day + DAY, zone))
        changes = Changes(population, self.resource, self.maker.calendar, zone)
        serials = [serial for (serial,) in self.query(f"SELECT DISTINCT serial FROM {before.name} ORDER BY serial")]
        gone, changed = changes.choose(serials, day)
        given = {"serials": changed}
        rows = self.query(f"SELECT * FROM {before.name} WHERE list_contains($serials, serial) ORDER BY ALL", given)
        fresh = [
            (serial, subject, parent, changes.changed(self.record(text), span, day))
            for serial, subject, parent, _, text in rows
        ]
        numbers = range(serials[-1] + 1 if serials else 0, (serials[-1] + 1 if serials else 0) + len(serials) // 40 + 1)
        above = self.parents.subjects if self.parents else None
        numbers = range(0) if above == [] else numbers
        plan = population.plan(name, numbers, above, population.draws(name, day, "plan"))
        new = self._rows(numbers, plan, span, day)
        self._create(pa.concat_tables([self._arrow(fresh), new]), before.name, [*gone, *changed])

    def _rows(self, serials: range, plan: Plan, span: Span, salt: object) -> pa.Table:
        draws = self._tables.population.draws(self.resource.name, salt)
        count, times = len(serials), list(range(len(serials)))
        if self.aggregated and salt == "first":
            times = sorted([*times, *draws.choices(times, k=count)]) if count else []
        parents: Sequence[int | None] = plan.parents or [None] * count
        made = [self.maker.make(s, plan.subjects[i], parents[i], draws) for i, s in enumerate(serials)]
        places = draws.sample(range(len(times)), len(times)) if self.aggregated else range(len(times))
        return self._arrow(
            (
                serials[index],
                plan.subjects[index],
                parents[index],
                self.maker.dated(
                    copy.deepcopy(made[index]) if self.aggregated else made[index],
                    span,
                    (position + draws.random()) / len(times),
                    draws,
                ),
            )
            for index, position in zip(times, places, strict=True)
        )

    def _arrow(self, rows: Iterable[tuple[int, int, int | None, Record]]) -> pa.Table:
        encode = msgspec.json.encode
        entries = [(*row[:3], self._instant(row[3]), encode(row[3]).decode()) for row in rows]
        return pa.Table.from_pylist([dict(zip(_SCHEMA.names, entry, strict=True)) for entry in entries], _SCHEMA)

    def _instant(self, record: Record) -> datetime | None:
        name = self.maker.calendar.filtered
        column = self.resource.columns[name] if name else None
        value = dig(record, column.wire_path(name)) if column and name else None
        if column is None or value is None:
            return None
        return _naive(read_instant(from_the_wire(column, value), self._tables.connection.zone))

    def _create(self, fresh: pa.Table, before: str, without: Sequence[int] = ()) -> None:
        kept = f"SELECT * FROM {before} WHERE NOT list_contains($without, serial) UNION ALL" if before else ""
        cursor = self._tables.database.cursor()
        cursor.register("fresh", fresh)
        rows = f"CREATE TABLE {self.name} AS {kept} SELECT * FROM fresh"
        cursor.execute(rows, {"without": list(without)} if before else {})
        cursor.unregister("fresh")


class Tables:
    """All tables of one connection, made when first asked for.

    Args:
        connection: The connection.
        database: Where they are kept.
        rows: Typical number of rows of a resource.
        seed: Seed of all draws.
        start: First day with data.
        today: The last.
    """

    def __init__(
        self,
        connection: Connection,
        database: Database,
        rows: int,
        seed: int,
        start: date,
        today: date,
    ) -> None:
        self.connection, self.database, self.today = connection, database, today
        self.span = Span(midnight(start, connection.zone), midnight(today, connection.zone))
        self.population = Population(connection, rows, seed)
        self._lock = threading.RLock()
        self._tables: dict[tuple[str, int], Table] = {}
        self._makers: dict[str, RecordMaker] = {}
        self._list = lru_cache(maxsize=256)(RecordList)

    def table(self, resource: str, state: int) -> Table:
        """Return all rows of a resource as they are after ``state`` days."""
        with self._lock:
            for day in range(max(state, 0) + 1):
                if (resource, day) not in self._tables:
                    self._tables[resource, day] = Table(self, resource, day)
            return self._tables[resource, max(state, 0)]

    def maker(self, resource: str) -> RecordMaker:
        """Return the maker of a resource's records."""
        if resource not in self._makers:
            declared = self.connection.system.resource(resource)
            self._makers[resource] = RecordMaker(self.population, declared, self.connection.zone)
        return self._makers[resource]

    def records(self, resource: str, state: int, parent: int | None = None, bounds: Bounds = UNBOUNDED) -> RecordList:
        """Return the records of one list; see :class:`RecordList`."""
        return self._list(self.table(resource, state), parent, bounds)


def _naive(value: datetime) -> datetime:
    return value.astimezone(timezone.utc).replace(tzinfo=None)
