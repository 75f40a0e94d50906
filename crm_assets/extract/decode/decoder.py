"""Column-wise decoding of pages: JSON records to Arrow, in DuckDB, with nothing lost.

Pages whose records all passed the strict check are decoded by the ``fitting`` query. All others take the ``careful``
one, which keeps what does not fit: unknown fields in ``_extra``, values of a wrong type in ``_misfits``, records
without a primary key apart, with the reason. For records that fit, both give the same rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.models.system import Resource
from crm_assets.extract.decode.decode_sql import careful_query, fitting_query, given
from crm_assets.extract.decode.record_validator import Fingerprint, RecordValidator

ARROW: dict[ColumnType, pa.DataType] = {
    ColumnType.TEXT: pa.string(),
    ColumnType.BIGINT: pa.int64(),
    ColumnType.DOUBLE: pa.float64(),
    ColumnType.DECIMAL: pa.decimal128(38, 9),
    ColumnType.BOOL: pa.bool_(),
    ColumnType.TIMESTAMP: pa.timestamp("us", "UTC"),
    ColumnType.DATE: pa.date32(),
    ColumnType.JSON: pa.string(),
}

KEEPING_COLUMNS = ("_extra", "_misfits")
REJECTED = pa.schema([("reason", pa.string()), ("record", pa.string())])
_CHUNK_BYTES = 1_000_000
"""What DuckDB parses at a time: with more, the parsed text is no longer in the processor's cache when it is read."""


@dataclass(frozen=True)
class Records:
    """The records of one page, still as bytes, with the values its request was made with."""

    array: bytes
    companions: bytes | None
    values: tuple[str | None, ...]
    fits: bool
    count: int
    fingerprint: Fingerprint


def table_schema(resource: Resource) -> pa.Schema:
    """Return the Arrow schema of the resource's rows: declared columns, then ``_extra`` and ``_misfits``."""
    declared = [pa.field(n, ARROW[c.type], n not in resource.primary_key) for n, c in resource.columns.items()]
    return pa.schema([*declared, *((name, pa.string()) for name in KEEPING_COLUMNS)])


class _Pages:
    """What stands behind a table's name: DuckDB asks for its rows anew at each execution, so batches take turns."""

    batch = pa.table({})

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.batch.__arrow_c_stream__(requested_schema)


class _Query:
    """A query over batches of pages, planned once: planning it takes as long as decoding twenty pages."""

    _numbers = itertools.count()

    def __init__(self, database: duckdb.DuckDBPyConnection, text: Callable[[str], str]) -> None:
        self._database = database
        self._text = text
        self._name = ""
        self._pages = _Pages()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the rows the query makes of a batch."""
        self._pages.batch = batch
        self._name = self._name or self._planned()
        try:
            return self._database.sql(f"EXECUTE {self._name}").to_arrow_table()
        finally:
            self._pages.batch = batch.slice(0, 0)

    def _planned(self) -> str:
        name = f"pages_{next(self._numbers)}"
        self._database.register(name, self._pages)
        self._database.execute(f"PREPARE {name} AS {self._text(name)}")
        return name


class Decoder:
    """Decodes the pages of one resource.

    Args:
        resource: The declaration; its columns give types and wire paths.
        database: An in-memory DuckDB connection used by no other thread at the same time.
    """

    def __init__(self, resource: Resource, database: duckdb.DuckDBPyConnection) -> None:
        self.schema = table_schema(resource)
        self._database = database
        self._given = given(resource)
        self._pages = pa.schema(
            [(name, pa.string()) for name in ("page", "companions", *(f"given_{n}" for n in range(len(self._given))))]
        )
        self._check = RecordValidator(resource)
        self._fitting = _Query(database, partial(fitting_query, resource))
        self._careful = _Query(database, partial(careful_query, resource))

    def inspect(self, array: bytes, companions: bytes | None, values: Mapping[str, object]) -> Records:
        """Return one page's records with the verdict of the strict check.

        Raises:
            msgspec.DecodeError: The array is no valid JSON.
        """
        fits, count, fingerprint = self._check(array)
        bound = tuple(None if values.get(name) is None else str(values[name]) for name in self._given)
        return Records(array, companions, bound, fits, count, fingerprint)

    def decode(self, pages: list[Records]) -> tuple[pa.Table, pa.Table]:
        """Return the rows of the pages, and the rejected records with reasons."""
        batch = self._batch(pages)
        if all(page.fits for page in pages):
            try:
                return _typed(self._fitting(batch), self.schema), REJECTED.empty_table()
            except duckdb.ConversionException:
                pass  # it only looked like a date; the careful query keeps it as a misfit
        rows = self._careful(batch)
        rejected = rows.filter(pc.is_valid(rows["_reason"]))
        kept = rows.filter(pc.is_null(rows["_reason"]))
        return kept.select(self.schema.names).cast(self.schema), rejected.select(["_reason", "_record"]).rename_columns(
            REJECTED.names
        )

    def _batch(self, pages: list[Records]) -> pa.Table:
        columns = [
            [page.array for page in pages],
            [page.companions for page in pages],
            *([page.values[n] for page in pages] for n in range(len(self._given))),
        ]
        whole = pa.table([pa.array(column, pa.string()) for column in columns], schema=self._pages)
        size = sum(len(page.array) for page in pages)
        rows = max(len(pages) * _CHUNK_BYTES // max(size, 1), 1)
        return pa.Table.from_batches(whole.to_batches(max_chunksize=rows), self._pages)


def _typed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the rows in a schema; columns that have its types are taken as they are."""
    return pa.Table.from_arrays(rows.columns, schema=schema) if rows.schema.types == schema.types else rows.cast(schema)
