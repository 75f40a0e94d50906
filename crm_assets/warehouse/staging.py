"""Sources of staged rows for SQL: the verified files themselves, or a schema that a load makes for itself.

The schema's name is written down before it is made, and making it fails where it exists. So what a killed run left can
be distinguished from all others, and only tables of such a schema are ever dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dlt
from dlt.common.exceptions import DltException
from dlt.extract import DltResource

from crm_assets.declarations.models.connection import STAGING_PREFIX
from crm_assets.extract.decode.duckdb_types import literal
from crm_assets.warehouse.dlt_log import without_json_warning
from crm_assets.warehouse.dlt_schema import REJECTED_COLUMNS, dlt_columns, optional
from crm_assets.warehouse.session import Statement, WarehouseSession

if TYPE_CHECKING:
    from crm_assets.extract.staging.staged_rows import StagedRows

Relations = Mapping[str, str]
"""Table to the FROM clause that selects its new rows."""
_RECORD = "_staging_schemas"
_ABANDONED = timedelta(days=1)
"""Age at which another machine's staging schema is taken for a killed run's, where no lock shows that it runs."""


def files(staged: Iterable[StagedRows]) -> Relations:
    """Return the verified files as relations, for a destination that reads them where they are."""
    found = {rows.resource.name: rows.path for rows in staged}
    found |= {f"{rows.resource.name}__rejected": rows.rejected_path for rows in staged if rows.rejected}
    return {name: f"read_parquet({literal(str(path))})" for name, path in found.items()}


@contextmanager
def staging_schema(session: WarehouseSession) -> Iterator[str]:
    """Make a schema for the time of a load; remove what killed runs left before."""
    _remove_abandoned(session)
    name = f"{STAGING_PREFIX}{uuid4().hex[:16]}"
    now = datetime.now(timezone.utc)
    session.write(f"INSERT INTO {session.table(_RECORD)} VALUES (%s, %s)", name, now)
    session.write(f"CREATE SCHEMA {session.column(name)}")
    try:
        yield name
    finally:
        with suppress(DltException):
            _drop_schema(session, name)


def stage(session: WarehouseSession, schema: str, staged: list[StagedRows]) -> Relations:
    """Let dlt load the verified rows into new tables of a staging schema.

    Nothing is required there: what the table does not take shows when its rows go into it, in a transaction of its own.
    """
    rejects = {f"{rows.resource.name}__rejected": rows for rows in staged if rows.rejected}
    resources = [_staging_resource(rows.tables(), rows.resource.name, dlt_columns(rows.resource)) for rows in staged]
    resources += [_staging_resource(rows.rejects(), name, REJECTED_COLUMNS) for name, rows in rejects.items()]
    pipeline = session.open_pipeline(schema)
    load_format: Any = _format(session)
    with without_json_warning():
        pipeline.run(resources, write_disposition="append", loader_file_format=load_format).raise_on_failed_jobs()
    names = [*(rows.resource.name for rows in staged), *rejects]
    return {name: f"{session.column(schema)}.{session.column(name)}" for name in names}


def _staging_resource(rows: Iterator[Any], name: str, columns: dict[str, dict[str, Any]]) -> DltResource:
    hints: Any = optional(columns)
    resource: DltResource = dlt.resource(rows, name=name, columns=hints)
    return resource


def _format(session: WarehouseSession) -> str | None:
    formats = session.client.capabilities.supported_loader_file_formats or []
    # dlt takes Parquet to PostgreSQL only through a driver of its own; its CSV goes by COPY
    wanted = ["csv", "parquet"] if session.destination == "postgres" else ["parquet", "jsonl"]
    return next((name for name in wanted if name in formats), None)


def _remove_abandoned(session: WarehouseSession) -> None:
    session.write(
        f"CREATE TABLE IF NOT EXISTS {session.table(_RECORD)} (name VARCHAR, made_at TIMESTAMP WITH TIME ZONE)"
    )
    age = timedelta() if session.destination == "postgres" else _ABANDONED
    before = datetime.now(timezone.utc) - age
    for (name,) in session.query(f"SELECT name FROM {session.table(_RECORD)} WHERE made_at < %s", before):
        with suppress(DltException):
            _drop_schema(session, name)


def _drop_schema(session: WarehouseSession, schema: str) -> None:
    """Drop a staging schema of ours, table by table and without CASCADE: no other schema can be touched."""
    place, stored = session.column(schema), literal(session.stored(schema))
    stored_names = session.query(f"SELECT table_name FROM information_schema.tables WHERE table_schema = {stored}")
    tables = [session.column(session.ours(name)) for (name,) in stored_names]
    statements: list[Statement] = [(f"DROP TABLE IF EXISTS {place}.{table}", ()) for table in tables]
    statements += [(f"DROP SCHEMA IF EXISTS {place}", ())]
    statements += [(f"DELETE FROM {session.table(_RECORD)} WHERE name = %s", (schema,))]
    session.execute(statements)
