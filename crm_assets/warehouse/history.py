"""History: every version of every row, in ``<resource>__history``, for resources that say ``history: true``.

A version begins when a read brought other values than before (the row's ``_changed_at``) and ends when one brought
others again or no longer found the row. So the row's current version is the one that began at its ``_changed_at``: the
table itself says which versions are over and which are missing, whatever became of the loads before.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

from crm_assets.declarations.models.resource import Resource
from crm_assets.warehouse.dlt_schema import ROW_TIMES, dlt_columns, optional
from crm_assets.warehouse.schema_changes import additions, alter_type, free_name, schema_changes
from crm_assets.warehouse.session import WarehouseSession

_TIMES = ("_valid_from", "_valid_to", "_changed_at", "_deleted_at")


def history_table(resource: Resource) -> str:
    """Return the name of the table of versions."""
    return f"{resource.name}__history"


def history_columns(resource: Resource) -> dict[str, dict[str, Any]]:
    """Return the columns of the table of versions as dlt's hints."""
    values = {name: hints for name, hints in dlt_columns(resource).items() if name not in ROW_TIMES}
    bounds = {name: {"name": name, "data_type": "timestamp"} for name in ("_valid_from", "_valid_to")}
    return optional({**values, **bounds})


def history_alterations(session: WarehouseSession, resource: Resource) -> Iterator[str]:
    """Yield the statements that make the table of versions as declared; of values that do not fit, none is lost."""
    name = history_table(resource)
    for change in schema_changes(session, resource, name).types:
        if change.safe:
            yield from alter_type(session, name, change)
        else:
            kept = session.column(free_name(session, name, change))
            yield f"ALTER TABLE {session.table(name)} RENAME COLUMN {session.column(change.column)} TO {kept}"
            kind = session.sql_type(change.after)
            yield f"ALTER TABLE {session.table(name)} ADD COLUMN {session.column(change.column)} {kind}"
    yield from additions(session, name, history_columns(resource))


def record_versions(session: WarehouseSession, resource: Resource, moment: datetime, read_id: str | None) -> None:
    """End the versions that are no longer a row's values, and begin those that are, in the transaction that is open.

    Args:
        session: The open warehouse; the table is as the read left it.
        resource: The table's declaration.
        moment: When the rows were read.
        read_id: The read whose rows alone can have other versions than before; ``None`` to look at all rows.
    """
    if read_id:
        _record_of_read(session, resource, moment, read_id)
        return
    table, versions, same_key = _places(session, resource)
    begun, ended, changed, deleted = map(session.column, _TIMES)
    current = f"d.{deleted} IS NULL AND d.{changed} IS NOT DISTINCT FROM h.{begun}"
    session.write(
        f"UPDATE {versions} AS h SET {ended} = %s WHERE h.{ended} IS NULL "
        f"AND NOT EXISTS (SELECT 1 FROM {table} AS d WHERE {same_key} AND {current})",
        moment,
    )
    without = f"NOT EXISTS (SELECT 1 FROM {versions} AS h WHERE h.{ended} IS NULL AND {same_key})"
    _begin(session, resource, f"{table} AS d WHERE d.{deleted} IS NULL AND {without}")


def end_versions(
    session: WarehouseSession, resource: Resource, moment: datetime, condition: str, *parameters: object
) -> None:
    """End the versions of rows that are about to be deleted from the table.

    Args:
        session: The open warehouse, in a transaction.
        resource: The table's declaration.
        moment: When they were not found any more.
        condition: What is true of these rows.
        parameters: Of the condition.
    """
    table, versions, same_key = _places(session, resource)
    ended = session.column("_valid_to")
    session.write(
        f"UPDATE {versions} AS h SET {ended} = %s WHERE h.{ended} IS NULL "
        f"AND EXISTS (SELECT 1 FROM {table} AS d WHERE {same_key} AND {condition})",
        moment,
        *parameters,
    )


def _record_of_read(session: WarehouseSession, resource: Resource, moment: datetime, read_id: str) -> None:
    """Do the same for the rows of one read.

    They are copied first, so that destinations know how few they are and look up their versions alone. Those that have
    a current version are deleted from the copy: for ``NOT EXISTS`` DuckDB hashes all versions, however few rows ask.
    """
    table, versions, same_key = _places(session, resource)
    begun, ended, changed, deleted = map(session.column, _TIMES)
    rows = session.column(f"brought_{uuid4().hex[:16]}")
    session.write(f"CREATE TEMPORARY TABLE {rows} AS SELECT * FROM {table} WHERE _read_id = %s", read_id)
    row = f"SELECT 1 FROM {rows} AS d WHERE {same_key}"
    # the keys by themselves first: PostgreSQL looks those up by index
    over = f"EXISTS ({row}) AND EXISTS ({row} AND d.{changed} IS DISTINCT FROM h.{begun})"
    session.write(f"UPDATE {versions} AS h SET {ended} = %s WHERE h.{ended} IS NULL AND {over}", moment)
    current = f"SELECT 1 FROM {versions} AS h WHERE h.{ended} IS NULL AND {same_key}"
    session.write(f"DELETE FROM {rows} AS d WHERE EXISTS ({current})")
    _begin(session, resource, f"{rows} AS d WHERE d.{deleted} IS NULL")
    session.write(f"DROP TABLE {rows}")


def _begin(session: WarehouseSession, resource: Resource, rows: str) -> None:
    """Begin a version of each row that is selected, as ``d``."""
    names = [session.column(name) for name in dlt_columns(resource) if name not in ROW_TIMES]
    begun, _, changed, _ = map(session.column, _TIMES)
    session.write(
        f"INSERT INTO {session.table(history_table(resource))} ({', '.join([*names, begun])}) "
        f"SELECT {', '.join(f'd.{name}' for name in [*names, changed])} FROM {rows}"
    )


def _places(session: WarehouseSession, resource: Resource) -> tuple[str, str, str]:
    """Return the table, that of its versions, and what makes a row ``d`` and a version ``h`` belong together."""
    same_key = " AND ".join(f"d.{key} = h.{key}" for key in map(session.column, resource.primary_key))
    return session.table(resource.name), session.table(history_table(resource)), same_key
