"""Column-wise decoding of pages: JSON records to Arrow, in DuckDB, with nothing lost.

Pages whose records all passed the strict check are decoded by the ``fitting`` query. All others take the ``careful``
one, which keeps what does not fit: unknown fields in ``_extra``, values that a column or the destination cannot hold in
``_misfits``, and records without a primary key or a required value apart, with the reason. Both give the same rows for
records that fit, all digits of a number included.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import partial

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.absent_columns import AbsentColumns
from crm_assets.extract.decode.careful_sql import careful_query
from crm_assets.extract.decode.destination_limits import UNLIMITED, DestinationLimits
from crm_assets.extract.decode.digits import marked as with_marks
from crm_assets.extract.decode.fitting_sql import fitting_query
from crm_assets.extract.decode.macros import define_macros
from crm_assets.extract.decode.record_steps import RecordSteps
from crm_assets.extract.decode.record_validator import RecordValidator, content_hash
from crm_assets.extract.decode.records import Records
from crm_assets.extract.decode.request_values import page_columns, requested

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
REJECTED = pa.schema([("reason", pa.string()), ("record", pa.string()), ("key", pa.string())])
_MOMENTS = range(-62_135_596_800_000_000, 253_402_300_800_000_000)
"""The microseconds of the years 1 to 9999, counted from 1970."""
_DAYS = range(_MOMENTS.start // 86_400_000_000, _MOMENTS.stop // 86_400_000_000)
_CHUNK_BYTES = 1_000_000
"""What DuckDB parses at a time: with more, the parsed text is no longer in the processor's cache when it is read."""


def table_schema(resource: Resource) -> pa.Schema:
    """Return the Arrow schema of the resource's rows: declared columns, then ``_extra`` and ``_misfits``."""
    key = resource.primary_key
    declared = [pa.field(n, ARROW[c.type], c.nullable and n not in key) for n, c in resource.columns.items()]
    return pa.schema([*declared, *((name, pa.string()) for name in KEEPING_COLUMNS)])


class _Pages:
    """A DuckDB source that yields the current batch on every execution."""

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
        database: An in-memory DuckDB connection used by no other thread at the same time. Its time zone is UTC.
        limits: What the destination cannot hold.
    """

    def __init__(
        self, resource: Resource, database: duckdb.DuckDBPyConnection, limits: DestinationLimits = UNLIMITED
    ) -> None:
        define_macros(database)
        self.schema = table_schema(resource)
        self.absent = AbsentColumns(resource, database)
        self._limits = limits
        self._given = requested(resource)
        self._pages = pa.schema([(name, pa.string()) for name in page_columns(len(self._given))])
        self._steps = RecordSteps(resource)
        self._check = RecordValidator(resource, limits)
        self._fitting = _Query(database, partial(fitting_query, resource))
        self._marked = _Query(database, partial(fitting_query, resource, marked=True))
        self._careful = _Query(database, partial(careful_query, resource, limits=limits))

    def inspect(self, array: bytes, companions: bytes | None, values: Mapping[str, object]) -> Records:
        """Return one page's records with the verdict of the strict check.

        Raises:
            msgspec.DecodeError: The array is not valid JSON.
        """
        kept = self._steps(array)
        found = self._check(kept.array if kept else array)
        bound = tuple(None if values.get(name) is None else str(values[name]) for name in self._given)
        if kept is None:
            return Records(array, companions, bound, found.fits, found.count, found.fingerprint, marked=found.marked)
        # Paging goes by what the page had, not by what is kept of it.
        whole = (kept.count, content_hash(array))
        return Records(kept.array, companions, bound, found.fits, kept.count, whole, kept.left_out, found.marked)

    def decode(self, pages: list[Records]) -> tuple[pa.Table, pa.Table]:
        """Return the rows of the pages, and the rejected records with reasons and keys."""
        rows, rejected = self._fitting_rows(pages) or self._careful_rows(pages)
        self.absent.note(rows, pages)
        return rows, rejected

    def _fitting_rows(self, pages: list[Records]) -> tuple[pa.Table, pa.Table] | None:
        """Return the rows if all of them fit, values that only looked like dates and required ones included."""
        if not all(page.fits for page in pages):
            return None
        marked = any(page.marked for page in pages)
        try:
            rows = (self._marked if marked else self._fitting)(self._batch(pages, marked=marked))
        except (duckdb.ConversionException, duckdb.InvalidInputException):
            return None
        rows = _with_schema(rows, self.schema)
        return (rows, REJECTED.empty_table()) if _loadable(rows) else None

    def _careful_rows(self, pages: list[Records]) -> tuple[pa.Table, pa.Table]:
        rows = self._careful(self._batch(pages, marked=True))
        rejected = rows.filter(pc.is_valid(rows["__reason"]))
        kept = rows.filter(pc.is_null(rows["__reason"]))
        return (
            kept.select(self.schema.names).cast(self.schema),
            rejected.select(["__reason", "__rejected", "__key"]).rename_columns(REJECTED.names),
        )

    def _batch(self, pages: list[Records], *, marked: bool) -> pa.Table:
        def text(page: bytes | None) -> bytes | None:
            return page if page is None or not marked else with_marks(page, self._limits)

        columns = [
            [text(page.array) for page in pages],
            [text(page.companions) for page in pages],
            *([page.values[n] for page in pages] for n in range(len(self._given))),
        ]
        whole = pa.table([pa.array(column, pa.string()) for column in columns], schema=self._pages)
        size = sum(len(page.array) for page in pages)
        rows = max(len(pages) * _CHUNK_BYTES // max(size, 1), 1)
        return pa.Table.from_batches(whole.to_batches(max_chunksize=rows), self._pages)


def _with_schema(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the rows in a schema; columns that have its types are taken as they are."""
    return pa.Table.from_arrays(rows.columns, schema=schema) if rows.schema.types == schema.types else rows.cast(schema)


def _loadable(rows: pa.Table) -> bool:
    """Return whether required columns have values and times lie in the years that every destination knows."""
    for field, column in zip(rows.schema, rows.columns, strict=True):
        if column.null_count and not field.nullable:
            return False
        known, number = (_DAYS, pa.int32()) if pa.types.is_date(field.type) else (_MOMENTS, pa.int64())
        if pa.types.is_temporal(field.type):
            bounds = pc.min_max(column.cast(number)).as_py()
            if bounds["min"] is not None and not (bounds["min"] in known and bounds["max"] in known):
                return False
    return True
