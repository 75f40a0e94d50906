"""An installation that loads into a DuckLake of its own: Parquet files in its folder, and their catalog."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from crm_assets_tests.installation import Installation, Row

CREDENTIALS = "DESTINATION__DUCKLAKE__CREDENTIALS__"


class LakeHouse(Installation):
    """An installation whose warehouse is a DuckLake with a SQLite catalog."""

    def __post_init__(self) -> None:
        """Name the lake in dlt's configuration."""
        super().__post_init__()
        os.environ[f"{CREDENTIALS}CATALOG"] = f"sqlite:///{self.folder.parent}/catalog.sqlite"
        os.environ[f"{CREDENTIALS}STORAGE__BUCKET_URL"] = f"{self.folder.parent}/lake"

    def query(self, sql: str) -> list[Row]:
        """Return the rows of a query over the warehouse."""
        with self._attached() as database:
            rows: list[Row] = database.sql(sql).to_arrow_table().to_pylist()
        return rows

    def change(self, sql: str) -> None:
        """Change the warehouse by hand."""
        with self._attached() as database:
            database.execute(sql)

    @contextmanager
    def _attached(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect() as database:
            files = self.folder.parent
            database.execute(
                f"ATTACH 'ducklake:{files}/catalog.sqlite' AS lake (DATA_PATH '{files}/lake', META_TYPE 'sqlite'); "
                "USE lake"
            )
            yield database
            database.execute("USE memory; DETACH lake")
