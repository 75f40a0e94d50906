"""Columns that earlier reads made of undeclared fields: their names are in the read log, their types in the table."""

from __future__ import annotations

from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.duckdb_types import literal
from crm_assets.extract.read_report import FoundBefore
from crm_assets.warehouse import read_log
from crm_assets.warehouse.schema_changes import EXACT_IN_DOUBLE
from crm_assets.warehouse.session import WarehouseSession


def found_before(session: WarehouseSession, resource: Resource) -> FoundBefore:
    """Return the columns that the table of a resource has beside the declared ones.

    Columns that were removed, or are declared by now, are not included.
    """
    columns = _columns_found_before(session, resource)
    whole = [name for name, column in columns.items() if column.type is ColumnType.BIGINT]
    if not whole:
        return FoundBefore(columns)
    return FoundBefore(columns, frozenset(_inexact(session, resource, whole)))


def _inexact(session: WarehouseSession, resource: Resource, whole: list[str]) -> set[str]:
    """Return the columns with a whole number that no double holds.

    Each entry of the read log has what was known of them when its read was planned, so only rows of the last one, and
    of those that ended since it began, are looked at, unless a column is new.
    """
    last = read_log.last_complete(session, resource.name)
    known: dict[str, bool] = last.details.get("inexact", {}) if last else {}
    rows = session.table(resource.name)
    if last and known.keys() >= {*whole}:
        ended = f"SELECT read_id FROM {session.table(read_log.TABLE)} WHERE resource = %s AND finished_at >= %s"
        # by their values: PostgreSQL takes the rows of unknown reads for most of the table
        reads = ", ".join(literal(read_id) for (read_id,) in session.query(ended, resource.name, last.started_at))
        rows += f" WHERE _read_id IN ({reads})"
    greatest = ", ".join(f"max(abs({session.column(name)}))" for name in whole)
    (found,) = session.query(f"SELECT {greatest} FROM {rows}")
    beyond = {name for name, most in zip(whole, found, strict=True) if most is not None and most > EXACT_IN_DOUBLE}
    return beyond | {name for name in whole if known.get(name)}


def with_found_columns(session: WarehouseSession, resource: Resource) -> Resource:
    """Return a resource with the columns that reads made of undeclared fields beside the declared ones."""
    earlier = _columns_found_before(session, resource)
    return resource.model_copy(update={"columns": {**earlier, **resource.columns}}) if earlier else resource


def _columns_found_before(session: WarehouseSession, resource: Resource) -> dict[str, Column]:
    if resource.undeclared_fields != "columns":
        return {}
    last, existing = read_log.last_complete(session, resource.name), session.columns(resource.name)
    paths: dict[str, str] = last.details.get("columns", {}) if last else {}
    columns: dict[str, Column] = {}
    for name, source in paths.items():
        kind = session.type_of(existing[name][0]) if name in existing and name not in resource.columns else None
        if kind:
            columns[name] = Column(type=ColumnType(kind), source=None if source == name else source)
    return columns
