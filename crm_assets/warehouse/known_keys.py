"""Keys of the rows that a table has, for a read to see which of them it misses."""

from __future__ import annotations

from pathlib import Path

from crm_assets.declarations.models.paginator import SinglePage
from crm_assets.extract.decode.duckdb_types import literal
from crm_assets.extract.read_report import ReadTask
from crm_assets.warehouse.session import WarehouseSession

_CHUNK = 100_000
"""Rows held in memory at once."""


def known_keys(session: WarehouseSession, task: ReadTask, folder: Path) -> Path | None:
    """Return a Parquet file of the keys of a list's live rows, or ``None`` where a read of it needs none.

    That is a list which pages without reporting how many records it has, and is read in full: a record that slips from
    one page to another while it is read, or is deleted, shows by its key alone.

    Args:
        session: The open warehouse.
        task: What is to be read.
        folder: Where to put the file.
    """
    resource, paginator = task.resource, task.resource.endpoint.paginator
    counted = isinstance(paginator, SinglePage) or getattr(paginator, "total_records_path", None)
    if counted or resource.parent or task.mode != "full_refresh" or not resource.primary_key:
        return None
    if "_deleted_at" not in session.columns(resource.name):
        return None
    keys = ", ".join(session.column(name) for name in resource.primary_key)
    query = f"SELECT {keys} FROM {session.table(resource.name)} WHERE _deleted_at IS NULL"
    path = folder / f"{resource.name}.known.parquet"
    if session.reads_parquet_in_place:
        session.query(f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet)")
        return path
    return _written_parquet(session, query, resource.primary_key, path)


def _written_parquet(session: WarehouseSession, query: str, names: tuple[str, ...], path: Path) -> Path | None:
    # Where Dagster loads the assets nobody needs PyArrow, which takes a sixth of a second to import.
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    with session.client.execute_query(session.in_dialect(query)) as cursor:
        while rows := cursor.fetchmany(_CHUNK):
            keys = pa.table({name: [str(row[n]) for row in rows] for n, name in enumerate(names)})
            writer = writer or pq.ParquetWriter(path, keys.schema)
            writer.write_table(keys)
    if writer is None:
        return None
    writer.close()
    return path
