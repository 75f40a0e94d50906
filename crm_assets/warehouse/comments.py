"""Descriptions as comments on tables and columns, where every tool that browses the database shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.duckdb_types import literal
from crm_assets.warehouse.dlt_schema import KEEPING
from crm_assets.warehouse.history import history_table
from crm_assets.warehouse.session import WarehouseSession

Described = dict[tuple[str, str | None], str]
"""Table and column, or the table alone, to its description."""
_IN_DUCKDB = (
    "SELECT table_name, NULL, comment FROM duckdb_tables() "
    "WHERE database_name = current_database() AND schema_name = {schema} AND comment IS NOT NULL UNION ALL "
    "SELECT table_name, column_name, comment FROM duckdb_columns() "
    "WHERE database_name = current_database() AND schema_name = {schema} AND comment IS NOT NULL"
)
_FOUND = {
    "duckdb": _IN_DUCKDB,
    "ducklake": _IN_DUCKDB,
    "postgres": "SELECT c.relname, a.attname, d.description FROM pg_catalog.pg_description d "
    "JOIN pg_catalog.pg_class c ON c.oid = d.objoid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 "
    "WHERE n.nspname = {schema} AND d.classoid = (SELECT t.tableoid FROM pg_catalog.pg_class t LIMIT 1)",
}
"""By destination: the comments there are in a schema. Other destinations have comments of other kinds, or none."""


def describe(session: WarehouseSession, resources: Iterable[Resource]) -> None:
    """Write the descriptions of tables and columns that differ from the comments there are, or have none.

    Raises:
        dlt.common.exceptions.DltException: Another session has the table locked, or it belongs to another account.
    """
    if session.destination not in _FOUND:
        return
    rows = session.query(_FOUND[session.destination].format(schema=literal(session.dataset)))
    found: Described = {(table, column): text for table, column, text in rows}
    wanted: Described = {}
    for resource in resources:
        wanted |= dict(_descriptions(session, resource))
    missing = {place: text for place, text in wanted.items() if found.get(place) != text}
    if missing:
        session.execute([(_comment(session, *place, text), ()) for place, text in missing.items()])


def _descriptions(session: WarehouseSession, resource: Resource) -> Iterator[tuple[tuple[str, str | None], str]]:
    """Yield table and column with their description, of the tables and columns there are."""
    about = " ".join(resource.description.split())
    versions = f"Every version of every row of {resource.name}. {about}".strip()
    columns = {name: " ".join(column.description.split()) for name, column in resource.columns.items()}
    for table, text in ((resource.name, about), (history_table(resource), versions)):
        existing = session.columns(table)
        if existing and text:
            yield (table, None), text
        for name, description in {**columns, **KEEPING}.items():
            if name in existing and description:
                yield (table, name), description


def _comment(session: WarehouseSession, table: str, column: str | None, text: str) -> str:
    place = session.table(table)
    what = f"COLUMN {place}.{session.column(column)}" if column else f"TABLE {place}"
    return f"COMMENT ON {what} IS {literal(text)}"
