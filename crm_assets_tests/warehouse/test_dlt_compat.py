"""dlt's private names: gathered in one module, and shaped as we use them."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import dlt
import pyarrow as pa
import pytest
from dlt.destinations.impl.ducklake.sql_client import DuckLakeSqlClient

import crm_assets
from crm_assets.warehouse.dlt_compat import CsvCopyJob, PostgresClient, SessionClient
from crm_assets.warehouse.dlt_log import without_json_warning

PRIVATE = re.compile(r"^\s*(?:from|import) dlt\.(?:\S+\.)?(?:impl|_)", re.MULTILINE)


def test_private_names_are_imported_in_one_module_alone() -> None:
    folder = Path(crm_assets.__file__).parent
    importing = {path.name for path in folder.rglob("*.py") if PRIVATE.search(path.read_text(encoding="utf-8"))}
    assert importing == {"dlt_compat.py"}


def test_the_client_makes_jobs_from_a_path() -> None:
    parameters = inspect.signature(PostgresClient.create_load_job).parameters
    assert [*parameters] == ["self", "table", "file_path", "load_id", "restore"]


def test_the_session_of_a_client_is_where_it_is_looked_for() -> None:
    source = inspect.getsource(SessionClient.__mro__[1])
    assert "self._conn = psycopg2.connect(" in source
    assert "self.close_connection()\n                    self.open_connection()" in source


def test_dlt_closes_a_lake_with_what_duckdb_2_no_longer_has() -> None:
    """When this fails, a lake may work with DuckDB 2, and nothing may have to be refused any more."""
    assert 'SELECT current_database();").fetchone()' in inspect.getsource(DuckLakeSqlClient.close_connection)


def test_a_job_knows_its_file_and_gets_its_client_from_dlt(tmp_path: Path) -> None:
    path = tmp_path / "customers.1234567890.0.csv"
    job = CsvCopyJob(str(path))
    assert job.path == str(path)
    assert job.job_file_info().table_name == "customers"
    assert "_job_client" in vars(job), "dlt's loader sets it before it calls run()"


@pytest.mark.parametrize(("suppressed", "count"), [(nullcontext, 1), (without_json_warning, 0)])
def test_dlt_warns_of_json_columns_unless_told_not_to(
    tmp_path: Path, suppressed: Callable[[], AbstractContextManager[None]], count: int
) -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append  # type: ignore[method-assign]
    pipeline = dlt.pipeline(
        "warns", pipelines_dir=str(tmp_path), destination=dlt.destinations.duckdb(str(tmp_path / "d"))
    )
    rows = dlt.resource(pa.table({"tags": ["[]"]}), name="rows", columns={"tags": {"data_type": "json"}})
    logger = logging.getLogger("dlt")
    level = logger.level
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    try:
        with suppressed():
            pipeline.extract(rows)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert len(records) == count
