"""The primary keys of staged rows: which came twice, and the rows with each of them once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from crm_assets.extract.decode.duckdb_types import literal, quoted
from crm_assets.extract.staging.parquet_writer import ROW_GROUP_SIZE


def numbered_rows(path: Path) -> str:
    """Return what to select from for the rows of a Parquet file with their numbers, ``file_row_number``."""
    return f"read_parquet({literal(str(path))}, file_row_number = true)"


class StagedKeys:
    """The keys of the rows in a file.

    Args:
        database: Reads the file; used by no other thread at the same time.
        path: The Parquet file.
        key: Columns of the primary key.
        read_again: First and last row numbers of pages that were read again: what they repeat does not count.
    """

    def __init__(
        self,
        database: duckdb.DuckDBPyConnection,
        path: Path,
        key: Sequence[str],
        read_again: Sequence[tuple[int, int]],
    ) -> None:
        self._database = database
        self._path = path
        self._key = ", ".join(map(quoted, key))
        self._rows = numbered_rows(path)
        self._first_time = self._read_first(read_again) if read_again else self._rows

    @property
    def distinct(self) -> int:
        """How many different keys there are."""
        return self._count(f"SELECT DISTINCT {self._key} FROM {self._rows}")

    @property
    def repeated(self) -> int:
        """How many rows have the key of another one, where each page counts only when it was read first."""
        rows = self._count(f"SELECT 1 FROM {self._first_time}")
        return rows - self._count(f"SELECT DISTINCT {self._key} FROM {self._first_time}")

    def seen_twice(self, most: int) -> list[dict[str, Any]]:
        """Return keys that came more than once and how often, the most frequent first."""
        offenders = self._database.sql(
            f"SELECT {self._key}, count(*) AS seen FROM {self._first_time} GROUP BY {self._key} HAVING count(*) > 1 "
            f"ORDER BY seen DESC, {self._key} LIMIT {most}"
        ).to_arrow_table()
        rows: list[dict[str, Any]] = offenders.to_pylist()
        return rows

    def changed_meanwhile(self, changed: str) -> int:
        """Return how many keys came with different times of their last change, each page as it was read first."""
        time = quoted(changed)
        return self._count(
            f"SELECT 1 FROM {self._first_time} GROUP BY {self._key} HAVING min({time}) IS DISTINCT FROM max({time})"
        )

    def keep_newest(self, changed: str | None, schema: pa.Schema) -> None:
        """Write the file anew with one row for each key: the one changed last, else the one that came last.

        Args:
            changed: The column with the time of the last change, if there is one.
            schema: The schema of the rows.
        """
        newest = f"{quoted(changed)} DESC NULLS LAST, " if changed else ""
        once = self._path.with_suffix(".once.parquet")
        rows = self._database.sql(
            f"SELECT * EXCLUDE (file_row_number) FROM {self._rows} "
            f"QUALIFY row_number() OVER (PARTITION BY {self._key} ORDER BY {newest}file_row_number DESC) = 1"
        )
        with pq.ParquetWriter(once, schema, compression="snappy") as writer:
            for batch in rows.to_arrow_reader(ROW_GROUP_SIZE):
                writer.write_table(pa.Table.from_batches([batch]).cast(schema))
        once.replace(self._path)

    def _read_first(self, read_again: Sequence[tuple[int, int]]) -> str:
        first, last = (pa.array(numbers, pa.int64()) for numbers in zip(*read_again, strict=True))
        self._database.register("_read_again", pa.table({"first": first, "last": last}))
        again = "SELECT 1 FROM _read_again WHERE file_row_number BETWEEN first AND last"
        return f"(SELECT * FROM {self._rows} WHERE NOT EXISTS ({again}))"

    def _count(self, query: str) -> int:
        ((count,),) = self._database.execute(f"SELECT count(*) FROM ({query})").fetchall()
        return int(count)
