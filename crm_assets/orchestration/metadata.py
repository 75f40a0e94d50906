"""Metadata of a materialization: numbers that plot, the table's name and columns, a masked preview."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from crm_assets.declarations.models.columns import MASK, Column
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.declarations.wording import (
    end_words,
    filter_words,
    mode_words,
    paging_words,
    request_words,
    retry_words,
)
from crm_assets.extract.decode.duckdb_types import quoted
from crm_assets.orchestration.lineage import column_lineage, joins
from crm_assets.warehouse.changes import Committed
from crm_assets.warehouse.dlt_schema import KEEPING, dlt_columns
from crm_assets.warehouse.session import WarehouseSession

if TYPE_CHECKING:
    from crm_assets.extract.fetch import ReadResult

_PREVIEW_ROWS, _PREVIEW_COLUMNS, _CELL = 10, 12, 60


def declared_columns(resource: Resource) -> dg.TableSchema:
    """Return the declared columns for the UI."""
    columns = [_table_column(name, column, resource) for name, column in resource.columns.items()]
    kinds = {name: hints["data_type"] for name, hints in dlt_columns(resource).items()}
    columns += [dg.TableColumn(name, kinds[name], text) for name, text in KEEPING.items() if name in kinds]
    return dg.TableSchema(columns)


def _table_column(name: str, column: Column, resource: Resource) -> dg.TableColumn:
    key = name in resource.primary_key
    return dg.TableColumn(
        name,
        column.type.value,
        column.description or None,
        dg.TableColumnConstraints(
            nullable=column.nullable and not key,
            unique=resource.primary_key == (name,),
            other=["primary key"] if key else [],
        ),
        tags={"pii": column.pii} if column.pii else None,
    )


def definition_metadata(session_catalog: str, connection: Connection, resource: Resource) -> dict[str, Any]:
    """Return the metadata of an asset before any run."""
    return {
        "dagster/table_name": f"{session_catalog}.{connection.name}.{resource.name}",
        "dagster/column_schema": declared_columns(resource),
        "dagster/column_lineage": column_lineage(connection, resource),
        "references": ", ".join(sorted({reference.resource for reference in connection.system.references(resource)}))
        or "none",
        "vendor_list": dg.MetadataValue.md(request_words(resource.endpoint)),
        "how_it_is_read": dg.MetadataValue.md(_reading(resource)),
        "how_to_query": dg.MetadataValue.md(_example_query(connection, resource)),
        "primary_key": ", ".join(resource.primary_key),
        "mode": resource.mode,
        "verified": resource.verified,
        "dagster/code_references": _declared_in(connection.system.path),
    }


def _example_query(connection: Connection, resource: Resource) -> str:
    table = f"{connection.name}.{resource.name}__current"
    return f"```sql\nselect * from {table} limit 10;\n```\n{joins(connection, resource)}".rstrip()


def _reading(resource: Resource) -> str:
    endpoint = resource.endpoint
    paging, end = paging_words(endpoint.paginator), end_words(endpoint.paginator)
    return "\n".join(
        f"- {line}"
        for line in (
            f"{mode_words(resource)[0].upper()}{mode_words(resource)[1:]}. {filter_words(resource)}".rstrip(),
            f"Pages: {paging}; the end is {end}.",
            retry_words(endpoint.error_handler),
        )
    )


def _declared_in(path: str) -> dg.CodeReferencesMetadataValue:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        reference = dg.LocalFileCodeReference(file_path=path, label=Path(path).name)
        return dg.CodeReferencesMetadataValue(code_references=[reference])


def read_metadata(session: WarehouseSession, reading: ReadResult, done: Committed) -> dict[str, Any]:
    """Return the numbers of one read, and a description of the table after it."""
    resource, report = reading.task.resource, reading.report
    return {
        "destination": session.destination,
        "dataset": session.dataset,
        "dagster/row_count": done.table_rows,
        "dagster/table_name": f"{session.catalog}.{session.dataset}.{resource.name}",
        "dagster/column_schema": _found_columns(session, resource),
        "rows_loaded": report.rows,
        "rows_new": done.changes.new,
        "rows_changed": done.changes.changed,
        "rows_unchanged": done.changes.unchanged,
        "rows_deleted": done.deleted,
        "rows_vanished_not_marked": done.refused,
        "pages": report.pages,
        "requests": report.requests,
        "retries": report.retries,
        "bytes": report.bytes,
        "duplicates_in_read": report.duplicates,
        "rejected_records": report.rejected,
        "misfit_values": sum(report.misfits.values()),
        "seconds_fetch": report.seconds_fetch,
        "seconds_waited": report.seconds_waited,
        "seconds_decode": report.seconds_decode,
        "concurrency": report.concurrency,
        "mode": report.mode,
        "ended_by": report.reason,
        "preview": _preview(session, resource),
        **({"resumed": report.resumed} if report.resumed else {}),
    }


def _found_columns(session: WarehouseSession, resource: Resource) -> dg.TableSchema:
    columns = []
    for name, (kind, nullable) in session.columns(resource.name).items():
        column = resource.columns.get(name)
        columns.append(
            dg.TableColumn(
                name,
                kind,
                column.description if column else KEEPING.get(name),
                dg.TableColumnConstraints(nullable=nullable),
                tags={"pii": column.pii} if column and column.pii else None,
            )
        )
    return dg.TableSchema(columns)


def _preview(session: WarehouseSession, resource: Resource) -> dg.MetadataValue:
    names = list(resource.columns)[:_PREVIEW_COLUMNS]
    if not names:
        return dg.MetadataValue.md("No column is declared, so nothing is known of what may be shown.")
    columns = ", ".join(quoted(name) for name in names)
    rows = session.query(f"SELECT {columns} FROM {session.table(resource.name)} LIMIT {_PREVIEW_ROWS}")
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    lines += [
        f"| {' | '.join(masked(resource.columns[name], value) for name, value in zip(names, row, strict=True))} |"
        for row in rows
    ]
    return dg.MetadataValue.md("\n".join(lines))


def masked(column: Column, value: Any) -> str:
    """Return a value for display; personal data shows only that there is some."""
    if value is None:
        return ""
    if column.pii:
        return MASK
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"
