"""Load: verified rows into the warehouse, each resource by itself, in one transaction each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import dlt
from dlt.extract import DltResource, DltSource

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.signals import raise_if_stopped
from crm_assets.warehouse import read_log
from crm_assets.warehouse.dlt_schema import REJECTED_COLUMNS, dlt_columns, optional, write_disposition
from crm_assets.warehouse.errors import cause_of
from crm_assets.warehouse.indexes import log_indexes
from crm_assets.warehouse.session import WarehouseSession
from crm_assets.warehouse.staging import Relations, files, stage, staging_schema

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult
    from crm_assets.extract.staging.staged_rows import StagedRows

Item = TypeVar("Item")
Failures = dict[str, str]
"""Resource to what keeps it from being loaded."""


def declared_source(connection: Connection) -> DltSource:
    """Return the source the assets are specified from: every declared list, written as declared, without its rows."""
    return _load_source(
        connection,
        [
            _load_resource(
                (),
                declared.name,
                dlt_columns(declared),
                primary_key=list(declared.primary_key),
                write_disposition=write_disposition(declared),
            )
            for declared in connection.system.tables
        ],
    )


def table_source(connection: Connection, readings: list[ReadResult], session: WarehouseSession) -> DltSource:
    """Return the source by which dlt makes the tables, and the columns that were declared since; it has no rows.

    Args:
        connection: Gives the source its name.
        readings: Complete readings only.
        session: Knows which columns there are.
    """
    resources = [
        _load_resource(rows.schema.empty_table(), rows.resource.name, _new_columns(session, rows.resource))
        for rows in _staged_of(readings)
    ]
    resources += [
        _load_resource(rows.rejected_schema.empty_table(), f"{rows.resource.name}__rejected", REJECTED_COLUMNS)
        for rows in _staged_of(readings)
        if rows.rejected
    ]
    return _load_source(connection, resources)


def lacks_table(session: WarehouseSession, reading: ReadResult) -> bool:
    """Whether the warehouse has no table yet for the rows of a read, or for its rejected records."""
    return any(
        not session.columns(rows.resource.name)
        or (rows.rejected and not session.columns(f"{rows.resource.name}__rejected"))
        for rows in _staged_of([reading])
    )


def prepare_schema(session: WarehouseSession) -> None:
    """Make the schema and the read log where they are missing, and correct what is impossible in it."""
    if not session.client.has_dataset():
        session.client.create_dataset()
    session.execute([*read_log.create(session), *log_indexes(session)])
    session.execute(read_log.corrections(session))


@contextmanager
def staged_rows(session: WarehouseSession, readings: list[ReadResult]) -> Iterator[tuple[Relations, Failures]]:
    """Make the rows of complete reads selectable; say which could not be.

    Yields:
        What to select each table's rows from, and the reads whose rows could not be staged.
    """
    by_name = {rows.resource.name: rows for rows in _staged_of(readings)}
    if session.reads_parquet_in_place:
        yield files(by_name.values()), {}
        return
    relations: dict[str, str] = {}
    with staging_schema(session) as schema:
        failures = each_alone(
            [*by_name], lambda names: relations.update(stage(session, schema, [by_name[name] for name in names]))
        )
        yield relations, failures


def each_alone(names: list[str], act: Callable[[list[str]], Any]) -> Failures:
    """Do something for all resources at once and, where that fails, for each by itself: one must not stop the others.

    Returns:
        What failed, and why.
    """
    try:
        act(names)
    except Exception as error:  # of any driver or of dlt: it is traced to its table below
        raise_if_stopped()
        if len(names) == 1:
            return {names[0]: cause_of(error)}
        failures: Failures = {}
        for name in names:
            failures |= each_alone([name], act)
        return failures
    return {}


def _staged_of(readings: list[ReadResult]) -> list[StagedRows]:
    return [reading.staged for reading in readings if reading.staged]


def _new_columns(session: WarehouseSession, resource: Resource) -> dict[str, dict[str, Any]]:
    """Return the columns as dlt shall make them: one that comes to rows that are there already cannot be required."""
    existing, declared = session.columns(resource.name), dlt_columns(resource)
    if not existing:
        return declared
    return {name: hints if name in existing else optional({name: hints})[name] for name, hints in declared.items()}


def _load_source(connection: Connection, resources: list[DltResource]) -> DltSource:
    @dlt.source(name=connection.name)
    def source() -> list[DltResource]:
        return resources

    return source()


def _load_resource(rows: Any, name: str, columns: Any, **hints: Any) -> DltResource:
    resource: DltResource = dlt.resource(rows, name=name, columns=columns, **hints)
    return resource
