"""Column-wise decoding of pages: JSON records to Arrow, in DuckDB, with nothing lost.

Pages whose records all passed the strict check are decoded by the ``fitting`` query. All others take the ``careful``
one, which keeps what does not fit: unknown fields in ``_extra``, values of a wrong type in ``_misfits``, records
without a primary key apart, with the reason. For records that fit, both give the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from crm_assets.rest.queries import careful_query, fitting_query, given
from crm_assets.rest.strict import Fingerprint, StrictCheck
from crm_assets.spec.columns import ColumnType
from crm_assets.spec.system import Resource

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
        self._check = StrictCheck(resource)
        self._fitting = fitting_query(resource)
        self._careful = careful_query(resource)

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
        if all(page.fits for page in pages):
            try:
                return self._run(self._fitting, pages).cast(self.schema), REJECTED.empty_table()
            except duckdb.ConversionException:
                pass  # it only looked like a date; the careful query keeps it as a misfit
        rows = self._run(self._careful, pages)
        rejected = rows.filter(pc.is_valid(rows["_reason"]))
        kept = rows.filter(pc.is_null(rows["_reason"]))
        return kept.select(self.schema.names).cast(self.schema), rejected.select(["_reason", "_record"]).rename_columns(
            REJECTED.names
        )

    def _run(self, query: str, pages: list[Records]) -> pa.Table:
        columns = {
            "page": pa.array([page.array for page in pages], pa.binary()).cast(pa.string()),
            "companions": pa.array([page.companions for page in pages], pa.binary()).cast(pa.string()),
        }
        for position in range(len(self._given)):
            columns[f"given_{position}"] = pa.array([page.values[position] for page in pages], pa.string())
        self._database.register("pages", pa.table(columns))
        try:
            return self._database.sql(query).to_arrow_table()
        finally:
            self._database.unregister("pages")
