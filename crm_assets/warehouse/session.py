"""An open warehouse: SQL and catalogue for what precedes and follows a load."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from crm_assets.extract.decode.duckdb_types import literal, quoted
from crm_assets.warehouse.capabilities import Capabilities
from crm_assets.warehouse.dialect import in_dialect

if TYPE_CHECKING:
    from dlt import Pipeline
    from dlt.common.destination.capabilities import DataTypeMapper
    from dlt.destinations.sql_client import SqlClientBase

Statement = tuple[str, tuple[Any, ...]]
"""SQL, with ``%s`` for each parameter, and the parameters."""
_OF_ROWS = ("INSERT", "UPDATE", "DELETE", "MERGE", "COMMENT")
"""Beginnings of statements that leave the columns of all tables as they are."""


@dataclass
class WarehouseSession:
    """An open warehouse, one schema of it, locked against other writers."""

    catalog: str
    """Database part of a fully qualified table name."""
    destination: str
    """Name of the dlt destination."""
    open_pipeline: Callable[[str], Pipeline]
    """Makes a dlt pipeline, in a folder of its own, that loads into the schema of this name."""
    client: SqlClientBase[Any]
    dataset: str
    changed_by: dict[str, str] = field(default_factory=dict)
    """Table to the read of changes or windows that was loaded since the session was opened: it changed no other row."""
    widened: set[str] = field(default_factory=set)
    """Tables that have got new columns since the session was opened, outside the transaction of their rows."""
    _catalog: dict[str, dict[str, tuple[str, bool]]] | None = None
    """Cached result of ``columns``, until tables are made or changed."""

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a query; ``%s`` marks a parameter."""
        with self.client.execute_query(self.in_dialect(sql), *parameters) as cursor:
            return [tuple(row) for row in cursor.fetchall()]

    def write(self, sql: str, *parameters: Any) -> None:
        """Run one statement, in the transaction that is open or in one of its own."""
        self.client.execute_sql(self.in_dialect(sql), *parameters)
        if not sql.startswith(_OF_ROWS):
            self.forget_catalog()

    def execute(self, statements: Sequence[Statement]) -> None:
        """Run statements in one transaction."""
        if not statements:
            return
        with self.transaction():
            for sql, parameters in statements:
                self.write(sql, *parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let everything written inside take effect together or not at all, where the destination can do that."""
        try:
            with self.client.begin_transaction() if self.capabilities.transactions else nullcontext():
                yield
        except BaseException:
            self.forget_catalog()  # tables may have been made in it
            raise

    @cached_property
    def capabilities(self) -> Capabilities:
        """What the destination can hold of what is promised."""
        return Capabilities.of(self.destination, self.client.capabilities)

    def table(self, name: str) -> str:
        """Return the quoted, schema-qualified name of a table."""
        return f"{self.column(self.dataset)}.{self.column(name)}"

    def column(self, name: str) -> str:
        """Return the quoted name of a column."""
        return quoted(name)

    def columns(self, table: str) -> dict[str, tuple[str, bool]]:
        """Return type and nullability of a table's columns as the warehouse's catalogue has them; empty if missing."""
        if self._catalog is None:
            self._catalog = {}
            for name, column, kind, nullable in self.query(
                "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
                f"WHERE table_schema = {literal(self.stored(self.dataset))} ORDER BY table_name, ordinal_position"
            ):
                self._catalog.setdefault(self.ours(name), {})[self.ours(column)] = str(kind), nullable == "YES"
        return self._catalog.get(table, {})

    def stored(self, name: str) -> str:
        """Return one of our names as the warehouse's catalogue has it."""
        return str(self.client.capabilities.casefold_identifier(name))

    def ours(self, name: str) -> str:
        """Return a name of the warehouse's catalogue as ours, which are lower case."""
        return name.lower() if self.stored(name.lower()) == name else name

    def forget_catalog(self) -> None:
        """Look at the catalogue anew when it is next needed: tables were made or changed."""
        self._catalog = None

    def type_of(self, kind: str) -> str | None:
        """Return the dlt type of a type in the warehouse's catalogue."""
        return self._type_mapper.from_destination_type(kind, None, None).get("data_type")

    def sql_type(self, data_type: str) -> str:
        """Return the warehouse's name of a dlt type."""
        column, table = cast("Any", {"name": "", "data_type": data_type}), cast("Any", {"name": "", "columns": {}})
        return self._type_mapper.to_destination_type(column, table)

    @cached_property
    def _type_mapper(self) -> DataTypeMapper:
        return self.client.capabilities.get_type_mapper()

    @property
    def reads_parquet_in_place(self) -> bool:
        """Whether a query can name a Parquet file of this machine, so that nothing needs to be staged."""
        return self.capabilities.dialect == "duckdb"

    def in_dialect(self, sql: str) -> str:
        """Return one of our statements as the destination understands it."""
        return in_dialect(sql, self.capabilities.dialect, self.client.capabilities.casefold_identifier)
