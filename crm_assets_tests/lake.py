"""An installation that loads into a DuckLake of its own: Parquet files in a folder or bucket, and their catalog."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import duckdb

from crm_assets_tests.installation import Installation, Row

CREDENTIALS = "DESTINATION__DUCKLAKE__CREDENTIALS__"
CATALOG, BUCKET = "CRM_ASSETS_LAKE_CATALOG", "CRM_ASSETS_LAKE_BUCKET"
"""Variables with the URL of another catalog than a SQLite file, and of a bucket instead of a folder."""


class LakeHouse(Installation):
    """An installation whose warehouse is a DuckLake."""

    def __post_init__(self) -> None:
        """Name the lake in dlt's configuration; an installation of the same folder finds it again."""
        super().__post_init__()
        self._database: duckdb.DuckDBPyConnection | None = None
        beside, marker = self.folder.parent, self.folder.parent / "lake.name"
        if not marker.exists():
            marker.write_text(f"lake_{uuid4().hex[:12]}")
        self.name = marker.read_text()
        self.catalog = os.environ.get(CATALOG) or f"sqlite:///{beside}/catalog.sqlite"
        bucket = os.environ.get(BUCKET)
        self.files = f"{bucket}/{self.name}" if bucket else f"{beside}/lake"
        os.environ[f"{CREDENTIALS}CATALOG"] = self.catalog
        os.environ[f"{CREDENTIALS}METADATA_SCHEMA"] = self.name
        os.environ[f"{CREDENTIALS}STORAGE__BUCKET_URL"] = self.files

    def query(self, sql: str) -> list[Row]:
        """Return the rows of a query over the warehouse."""
        with self.attached() as database:
            rows: list[Row] = database.sql(sql).to_arrow_table().to_pylist()
        return rows

    def change(self, sql: str) -> None:
        """Change the warehouse by hand."""
        with self.attached() as database:
            database.execute(sql)

    @contextmanager
    def attached(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Attach the lake; all that is asked for meanwhile is asked in one connection."""
        if self._database:
            yield self._database
            return
        local = self.catalog.startswith("sqlite:///")
        place = f"sqlite:{self.catalog.removeprefix('sqlite:///')}" if local else f"postgres:{self.catalog}"
        schema = "" if local else f", METADATA_SCHEMA '{self.name}'"
        with duckdb.connect() as database:
            if self.files.startswith("s3://"):
                database.execute(_secret())
            database.execute(f"ATTACH 'ducklake:{place}' AS lake (DATA_PATH '{self.files}'{schema}); USE lake")
            self._database = database
            yield database
            self._database = None
            database.execute("USE memory; DETACH lake")


def _secret() -> str:
    storage = f"{CREDENTIALS}STORAGE__CREDENTIALS__"
    key, secret, endpoint = (
        os.environ[storage + name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ENDPOINT_URL")
    )
    return (
        f"CREATE SECRET (TYPE s3, KEY_ID '{key}', SECRET '{secret}', REGION 'us-east-1', URL_STYLE 'path', "
        f"USE_SSL false, ENDPOINT '{endpoint.removeprefix('http://')}')"
    )
