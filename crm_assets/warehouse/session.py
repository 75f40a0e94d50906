"""An open warehouse: SQL and catalogue for what precedes and follows a load."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from crm_assets.extract.decode.duckdb_types import literal, quoted

if TYPE_CHECKING:
    from dlt import Pipeline
    from dlt.common.destination.capabilities import DataTypeMapper
    from dlt.destinations.sql_client import SqlClientBase

    from crm_assets.warehouse.warehouse import Warehouse


@dataclass
class WarehouseSession:
    """An open warehouse, one schema of it, with nobody else writing."""

    warehouse: Warehouse
    pipeline: Pipeline
    client: SqlClientBase[Any]
    dataset: str
    _catalog: dict[str, dict[str, tuple[str, bool]]] | None = None
    """What ``columns`` found, until something is written."""

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a query; ``%s`` stands for a parameter."""
        with self.client.execute_query(sql, *parameters) as cursor:
            return [tuple(row) for row in cursor.fetchall()]

    def execute(self, statements: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        """Run statements in one transaction."""
        self._catalog = None
        with self.client.begin_transaction():
            for sql, parameters in statements:
                self.client.execute_sql(sql, *parameters)

    def table(self, name: str) -> str:
        """Return the quoted, schema-qualified name of a table."""
        return f"{quoted(self.dataset)}.{quoted(name)}"

    def columns(self, table: str) -> dict[str, tuple[str, bool]]:
        """Return type and nullability of a table's columns as the warehouse's own catalogue tells; empty if missing."""
        if self._catalog is None:
            self._catalog = {}
            for name, column, kind, nullable in self.query(
                "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
                f"WHERE table_schema = {literal(self.dataset)} ORDER BY table_name, ordinal_position"
            ):
                self._catalog.setdefault(name, {})[column] = str(kind), nullable == "YES"
        return self._catalog.get(table, {})

    def is_new(self, table: str) -> bool:
        """Whether a table is still to be made, and by nobody else meanwhile: a DuckDB file has one writer."""
        return self.warehouse.destination == "duckdb" and not self.columns(table)

    def type_of(self, kind: str) -> str | None:
        """Return the dlt type that a type of the warehouse's catalogue stands for."""
        return self._type_mapper.from_destination_type(kind, None, None).get("data_type")

    @cached_property
    def _type_mapper(self) -> DataTypeMapper:
        return self.pipeline.destination.capabilities().get_type_mapper()

    @property
    def takes_parquet(self) -> bool:
        """Whether spools can be handed over as files."""
        formats = self.pipeline.destination.capabilities().supported_loader_file_formats or []
        return "parquet" in formats and self.warehouse.destination != "postgres"

    def drop_staging(self) -> None:
        """Remove dlt's staging schema: the next load makes it anew, and nobody has to wonder what it is."""
        self.execute([(f"DROP SCHEMA IF EXISTS {quoted(self.dataset + '_staging')} CASCADE", ())])

    def abandon_staging(self) -> None:
        """Remove dlt's staging schema after a failed load, if the warehouse is fit for it; else the next load does."""
        from dlt.common.exceptions import DltException

        with suppress(DltException):
            self.drop_staging()
