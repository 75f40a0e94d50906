"""Parquet files in row groups as large as DuckDB's own.

Each of its threads then loads whole groups. From smaller ones every thread makes a group that is not full, and to fill
those DuckDB rewrites up to half of the table at the next checkpoint, in a file that stays larger by half.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_SIZE = 122_880
"""Rows of a row group in a DuckDB file."""


class RowGroups:
    """A Parquet file being written.

    Args:
        path: The file; made with the first row group.
        schema: Of all rows.
        room: Bytes that may be held for a row group to become whole; beyond, it is written as it is.
    """

    def __init__(self, path: Path, schema: pa.Schema, room: int) -> None:
        self._path = path
        self._room = room
        self._writer: pq.ParquetWriter | None = None
        self._held = [schema.empty_table()]
        self._rows = 0
        self._bytes = 0

    def add(self, rows: pa.Table) -> None:
        """Take rows; write them as soon as they fill a row group."""
        self._held.append(rows)
        self._rows += rows.num_rows
        self._bytes += rows.nbytes
        if self._bytes > self._room:
            self._write(self._rows)
        elif self._rows >= ROW_GROUP_SIZE:
            self._write(self._rows // ROW_GROUP_SIZE * ROW_GROUP_SIZE)

    def close(self) -> None:
        """Write what is held and end the file; it has its columns even without rows."""
        if self._rows or self._writer is None:
            self._write(self._rows)
        if self._writer:
            self._writer.close()

    def _write(self, count: int) -> None:
        held = pa.concat_tables(self._held)
        self._writer = self._writer or pq.ParquetWriter(self._path, held.schema, compression="snappy")
        self._writer.write_table(held.slice(0, count), row_group_size=ROW_GROUP_SIZE)
        rest = held.slice(count)
        self._held, self._rows, self._bytes = [rest], rest.num_rows, rest.nbytes
