"""The typed rows of one read, on disk until they are proven complete."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crm_assets.declarations.models.paginator import Offset, PageNumber
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.decoder import Decoder, table_schema
from crm_assets.extract.decode.destination_limits import UNLIMITED, DestinationLimits
from crm_assets.extract.decode.duckdb_types import literal, quoted
from crm_assets.extract.decode.records import Records
from crm_assets.extract.read_report import FoundBefore, ReadReport
from crm_assets.extract.staging.found_columns import fill_columns, found_columns
from crm_assets.extract.staging.parquet_writer import RowGroups
from crm_assets.extract.staging.row_filter import RowFilter
from crm_assets.extract.staging.staged_keys import StagedKeys, numbered_rows

_OFFENDERS = 20
_READ_ID = pa.field("_read_id", pa.string(), nullable=False)
_DELETED_AT = pa.field("_deleted_at", pa.timestamp("us", "UTC"))
NOTHING_FOUND = FoundBefore()


class StagedRows:
    """The rows of one resource's read.

    Args:
        resource: The declaration.
        read_id: Identifier of the read, put into every row.
        folder: The run's own folder.
        database: The in-memory DuckDB connection of the decoding thread.
        room: Bytes of rows that may be held in memory.
        limits: What the destination cannot hold.
    """

    def __init__(
        self,
        resource: Resource,
        read_id: str,
        folder: Path,
        database: duckdb.DuckDBPyConnection,
        room: int,
        limits: DestinationLimits = UNLIMITED,
    ) -> None:
        self.resource = resource
        self.read_id = read_id
        self.path = folder / f"{resource.name}.parquet"
        self.rejected_path = folder / f"{resource.name}__rejected.parquet"
        self.decoder = Decoder(resource, database, limits)
        self.schema = _with_bookkeeping(self.decoder.schema)
        self.rejected_schema = pa.schema([("reason", pa.string()), ("record", pa.string()), _READ_ID])
        self.rows = 0
        self.rejected = 0
        self.filtered = 0
        self._first_rejects: list[dict[str, str]] = []
        self.seconds = 0.0
        self._kept: dict[str, int] = {"_misfits": 0, "_extra": 0}
        self._limits = limits
        self._database = database
        self._loadable = RowGroups(self.path, self.schema, room)
        self._rejects: pq.ParquetWriter | None = None
        self._keys_table = ""
        self._read_again: list[tuple[int, int]] = []
        """First and last row numbers of pages that were read again."""

    def append(self, pages: list[Records], keep: RowFilter) -> None:
        """Decode pages and write their rows."""
        started = time.perf_counter()
        rows, rejected = self.decoder.decode(pages)
        rows = self._belonging(rows, keep)
        self._loadable.add(self._marked(rows))
        if rejected.num_rows and not keep.again:
            self._reject(rejected)
            self.rejected += rejected.num_rows
        if self._keys_table:
            self._note_keys(rows)
        if keep.again and rows.num_rows:
            self._read_again.append((self.rows, self.rows + rows.num_rows - 1))
        self.rows += rows.num_rows
        self.filtered += 0 if keep.again else sum(page.left_out for page in pages)
        for column in self._kept:
            self._kept[column] += rows.num_rows - rows[column].null_count
        self.seconds += time.perf_counter() - started

    def remember_keys(self) -> None:
        """Keep the keys of all rows at hand, for :meth:`missing`."""
        columns = ", ".join(f"CAST(NULL AS VARCHAR) AS {quoted(name)}" for name in self.resource.primary_key)
        self._keys_table = quoted(f"keys_{self.resource.name}")
        self._database.execute(f"CREATE TEMP TABLE {self._keys_table} AS SELECT {columns} LIMIT 0")

    def missing(self, known: Path) -> int:
        """Return how many of the keys in a Parquet file are not among the rows."""
        keys = ", ".join(f"CAST({quoted(name)} AS VARCHAR)" for name in self.resource.primary_key)
        query = f"SELECT {keys} FROM read_parquet({literal(str(known))}) EXCEPT FROM {self._keys_table}"
        ((count,),) = self._database.execute(f"SELECT count(*) FROM ({query})").fetchall()
        return int(count)

    def _note_keys(self, rows: pa.Table) -> None:
        columns = ", ".join(f"CAST({quoted(name)} AS VARCHAR)" for name in self.resource.primary_key)
        self._database.register("_keys", rows.select(list(self.resource.primary_key)))
        self._database.execute(f"INSERT INTO {self._keys_table} SELECT {columns} FROM _keys")
        self._database.unregister("_keys")

    def _reject(self, rejected: pa.Table) -> None:
        kept = rejected.select(["reason", "record"])
        self._rejects = self._rejects or pq.ParquetWriter(self.rejected_path, self.rejected_schema)
        self._rejects.write_table(self._with_read_id(kept))
        more = _OFFENDERS - len(self._first_rejects)
        self._first_rejects += rejected.select(["reason", "key"]).slice(0, more).to_pylist()

    def seal(self, report: ReadReport, before: FoundBefore = NOTHING_FOUND) -> None:
        """Close the files and write what the rows show into the report: counts, duplicates, misfits, unknown fields.

        Args:
            report: The report of the read.
            before: Columns that earlier reads found, where undeclared fields become columns.
        """
        started = time.perf_counter()
        self._loadable.close()
        if self._rejects:
            self._rejects.close()
        report.rejected, report.rejects = self.rejected, self._first_rejects
        report.filtered = self.filtered
        report.absent = self.decoder.absent.columns
        if self.resource.undeclared_fields == "columns":
            self._find_columns(report, before)
        report.misfits = self._keys("_misfits")
        report.unknown = self._keys("_extra")
        self._drop_duplicates(report)
        report.rows = self.rows
        self.seconds += time.perf_counter() - started
        report.seconds_decode = round(self.seconds, 3)

    def tables(self, batch_rows: int = 131_072) -> Iterator[pa.Table]:
        """Yield the rows as Arrow tables of bounded size; at least one, for the table to exist when there are none."""
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(batch_rows):
                yield pa.Table.from_batches([batch])
        if not self.rows:
            yield self.schema.empty_table()

    def rejects(self) -> Iterator[pa.Table]:
        """Yield the rejected records as an Arrow table."""
        yield pq.read_table(self.rejected_path)

    def values(self, column: str) -> list[Any]:
        """Return the distinct values of a column, for the lists of a child resource."""
        return [value for (value,) in self.combinations(column)]

    def combinations(self, column: str, *others: str) -> list[tuple[Any, ...]]:
        """Return the distinct combinations of values of columns, the first of which is not null."""
        names = ", ".join(map(quoted, (column, *others)))
        query = f"SELECT DISTINCT {names} FROM {self._source} WHERE {quoted(column)} IS NOT NULL ORDER BY ALL"
        return self._database.execute(query).fetchall()

    @property
    def _source(self) -> str:
        return numbered_rows(self.path)

    def _marked(self, rows: pa.Table) -> pa.Table:
        return self._with_read_id(rows).append_column(_DELETED_AT, pa.nulls(rows.num_rows, _DELETED_AT.type))

    def _with_read_id(self, rows: pa.Table) -> pa.Table:
        return rows.append_column(_READ_ID, pa.repeat(self.read_id, rows.num_rows))

    def _belonging(self, rows: pa.Table, keep: RowFilter) -> pa.Table:
        window = self.resource.window
        if window is None or not (keep.include_undated or keep.before):
            return rows
        field = rows[window.field]
        return rows.filter(
            pc.is_null(field) if keep.include_undated else pc.fill_null(pc.less(field, keep.before), True)
        )

    def _keys(self, column: str) -> dict[str, int]:
        if not self._kept[column]:
            return {}
        query = (
            f"SELECT key, count(*) FROM (SELECT unnest(json_keys({column})) AS key FROM {self._source} "
            f"WHERE {column} IS NOT NULL) GROUP BY key ORDER BY 2 DESC, 1 LIMIT {_OFFENDERS}"
        )
        return dict(self._database.execute(query).fetchall())

    def _find_columns(self, report: ReadReport, before: FoundBefore) -> None:
        """Make columns of the undeclared fields; the declaration of the rows has them from now on."""
        found = found_columns(self._database, self._source, self.resource.columns, before)
        columns = {**self.resource.columns, **found.columns}
        self.resource = self.resource.model_copy(update={"columns": columns})
        self.schema = _with_bookkeeping(table_schema(self.resource))
        whole = self.path.with_suffix(".columns.parquet")
        fill_columns(self._database, self._source, whole, self.schema, found, self._limits)
        whole.replace(self.path)
        report.columns = {name: column.source or name for name, column in found.columns.items()}
        report.column_changes = found.changes
        report.absent |= dict.fromkeys(found.absent, self.rows) if self.rows else {}

    def _drop_duplicates(self, report: ReadReport) -> None:
        if not self.resource.primary_key:
            return
        keys = StagedKeys(self._database, self.path, self.resource.primary_key, self._read_again)
        distinct = keys.distinct
        if self.rows > distinct:
            report.duplicates = max(keys.repeated - report.repeats, 0)
            if report.duplicates:
                report.duplicate_keys = keys.seen_twice(_OFFENDERS)
            changed = self.resource.incremental.field if self.resource.incremental else None
            numbered = isinstance(self.resource.endpoint.paginator, PageNumber | Offset)
            if changed and numbered and report.duplicates and not report.moved:
                report.moved, report.unproven = _moved_records(keys.changed_meanwhile(changed))
            keys.keep_newest(changed, self.schema)
        self.rows = distinct


def _moved_records(count: int) -> tuple[str, str]:
    """Return what records show that came again after they had changed, and what follows from it, as clauses."""
    if not count:
        return "", ""
    moved = f"{count} record{' was' if count == 1 else 's were'} changed and came again"
    return moved, (
        f"rows moved while its pages were read ({moved}), so a record may be missing; nothing was marked as deleted, "
        f"and the next run settles it"
    )


def _with_bookkeeping(rows: pa.Schema) -> pa.Schema:
    return rows.append(_READ_ID).append(_DELETED_AT)
