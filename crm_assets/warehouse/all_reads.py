"""The view ``crm_reads``: the read logs of all connections as one, in a schema of its own beside theirs.

A connection's schema may come with a load, and go by hand. So each load compares the schemas that have a read log with
those in the view's definition, and makes it again only where they differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from crm_assets.declarations.models.connection import SHARED_SCHEMA
from crm_assets.extract.decode.duckdb_types import literal
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession

VIEW = "crm_reads"
_LOG_COLUMNS = {"read_id", "resource", "mode", "complete", "details"}
"""Columns that the read log always had: another program's table may bear the same name."""
_MENTIONED = re.compile(rf'(?:"?(\w+)"?\.)?"?\b{read_log.TABLE}\b"?(?!\.)')
"""A table's name in a definition. PostgreSQL leaves out the schema that the session would find it in."""


def refresh(session: WarehouseSession) -> None:
    """Make the view if the connections have changed, or what is logged of reads.

    Raises:
        dlt.common.exceptions.DltException: This account may not make a schema or a view.
    """
    if session.destination not in ("duckdb", "postgres", "ducklake"):
        return
    with session.transaction():
        logs = _logs(session)
        if _view_is_current(session, logs):
            return
        if session.destination == "postgres":
            # connections load at the same time here, and two of them must not replace one view
            session.query("SELECT pg_advisory_xact_lock(hashtext(%s))", f"{SHARED_SCHEMA}.{VIEW}")
            logs = _logs(session)
        session.write(f"CREATE SCHEMA IF NOT EXISTS {session.column(SHARED_SCHEMA)}")
        session.write(f"DROP VIEW IF EXISTS {_view(session)}")
        session.write(f"CREATE VIEW {_view(session)} AS {_union(session, logs)}")


def _logs(session: WarehouseSession) -> dict[str, set[str]]:
    """Return the columns of each schema's read log."""
    logs: dict[str, set[str]] = {}
    for schema, column in session.query(
        f"SELECT table_schema, column_name FROM information_schema.columns WHERE table_name = {literal(read_log.TABLE)}"
    ):
        logs.setdefault(schema, set()).add(column)
    return {schema: columns for schema, columns in sorted(logs.items()) if columns >= _LOG_COLUMNS}


def _view_is_current(session: WarehouseSession, logs: Mapping[str, set[str]]) -> bool:
    definition = session.query(
        f"SELECT view_definition FROM information_schema.views "
        f"WHERE table_schema = {literal(SHARED_SCHEMA)} AND table_name = {literal(VIEW)}"
    )
    columns = session.query(
        f"SELECT column_name FROM information_schema.columns "
        f"WHERE table_schema = {literal(SHARED_SCHEMA)} AND table_name = {literal(VIEW)}"
    )
    found = _MENTIONED.findall(str(definition[0][0])) if definition else []
    mentioned = {schema or session.dataset for schema in found}
    return mentioned == logs.keys() and {name for (name,) in columns} == {"connection", *read_log.COLUMNS}


def _union(session: WarehouseSession, logs: Mapping[str, set[str]]) -> str:
    return " UNION ALL ".join(
        f"SELECT CAST({literal(schema)} AS VARCHAR) AS connection, {_log_columns(columns)} "
        f"FROM {session.column(schema)}.{session.column(read_log.TABLE)}"
        for schema, columns in logs.items()
    )


def _log_columns(existing: set[str]) -> str:
    """Return the columns of one read log; those that an older one lacks are empty until its connection is read."""
    return ", ".join(
        name if name in existing else f"CAST(NULL AS {kind}) AS {name}" for name, kind in read_log.COLUMNS.items()
    )


def _view(session: WarehouseSession) -> str:
    return f"{session.column(SHARED_SCHEMA)}.{session.column(VIEW)}"
