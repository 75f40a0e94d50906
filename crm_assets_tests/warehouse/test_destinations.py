"""Destinations: what each can hold, what is refused, and our SQL in the dialects of those nobody ran here."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from dlt.common.destination import Destination

from crm_assets.warehouse.capabilities import Capabilities
from crm_assets.warehouse.dialect import in_dialect
from crm_assets.warehouse.errors import WarehouseError, cause_of
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.commands.conftest import ROOT

LOST = {
    "duckdb": (),
    "postgres": (),
    "ducklake": ("later of two loads",),
    "motherduck": ("several machines",),
    "snowflake": ("several machines",),
    "redshift": ("several machines",),
    "mssql": ("several machines",),
    "bigquery": ("outside transactions", "several machines"),
    "clickhouse": ("no transactions", "several machines"),
}
REFUSED = {
    "databricks": "no temporary tables",
    "athena": "no temporary tables",
    "dremio": "no temporary tables",
    "filesystem": "Parquet, Delta or Iceberg, so a table's rows, deletes and entry in the read log cannot take effect",
    "lancedb": "cannot delete and insert single rows",
    "qdrant": "cannot delete and insert single rows",
    "sqlalchemy": "does not know its SQL dialect",
}


def capabilities(destination: str) -> Capabilities:
    return Capabilities.of(destination, Destination.from_reference(destination).capabilities())


@pytest.mark.parametrize("destination", LOST)
def test_a_promise_that_does_not_hold_is_named(destination: str) -> None:
    found = capabilities(destination)
    assert found.refusal is None
    assert len(found.lost) == len(LOST[destination])
    for sentence, words in zip(found.lost, LOST[destination], strict=True):
        assert words in sentence


@pytest.mark.parametrize("destination", REFUSED)
def test_what_cannot_be_a_warehouse_is_refused_with_the_reason(destination: str) -> None:
    refusal = capabilities(destination).refusal
    assert refusal
    assert REFUSED[destination] in refusal


def test_the_documented_table_is_this_one() -> None:
    table = (ROOT / "docs/scale.md").read_text()
    for destination in (*LOST, *REFUSED):
        assert f"`{destination}`" in table, destination


def opened(destination: str, tmp_path: Path) -> str:
    """Return what opening a destination fails with."""
    with (
        pytest.raises(WarehouseError) as raised,
        Warehouse(tmp_path, destination).session("sales_crm", tmp_path, print),
    ):
        pass
    return str(raised.value)


def test_what_keeps_a_destination_from_being_opened_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESTINATION__POSTGRES__CREDENTIALS", raising=False)
    assert "Check DESTINATION__POSTGRES__CREDENTIALS=postgresql://user:password@host:5432/database" in opened(
        "postgres", tmp_path
    )
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://loader:s3cret@127.0.0.1:1/none")
    refused = opened("postgres", tmp_path)
    assert "Connection refused. Check" in refused
    assert "nothing was changed" in refused
    assert "s3cret" not in refused
    assert "The destination filesystem cannot be a warehouse" in opened("filesystem", tmp_path)
    assert "CRM_ASSETS_DESTINATION is 'bogus', and dlt has no destination of this name" in opened("bogus", tmp_path)


def test_a_lake_is_refused_with_a_duckdb_that_dlt_cannot_close_it_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb, "__version__", "2.0.0")
    assert "needs DuckDB 1, and DuckDB 2.0.0 is installed" in opened("ducklake", tmp_path)


def test_a_lake_with_a_catalog_for_one_connection_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb, "__version__", "1.5.5")
    monkeypatch.setenv("DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG", f"duckdb:///{tmp_path}/catalog.duckdb")
    monkeypatch.setenv("DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE__BUCKET_URL", f"{tmp_path}/files")
    assert "takes one connection at a time" in opened("ducklake", tmp_path)
    assert not (tmp_path / "catalog.duckdb").exists()


def test_what_a_lake_says_is_cut_to_the_reason_without_the_password() -> None:
    unreachable = (
        'IO Error: Failed to attach DuckLake MetaData "m" at path + "postgres:postgresql://loader:s3cret@host/db"'
        'Unable to connect to Postgres at "postgresql://loader:s3cret@host/db": refused\n\tIs the server running?'
    )
    reason = 'Unable to connect to Postgres at "postgresql://loader:***@host/db": refused'
    assert cause_of(OSError(unreachable)) == reason
    overtaken = "TransactionContext Error: Failed to commit DuckLake transaction.\nTransaction conflict - too late."
    assert cause_of(OSError(overtaken)) == "Transaction conflict - too late"


def test_names_are_folded_and_parameters_stay() -> None:
    ours = 'SELECT "id", _read_id FROM "sales_crm"."accounts" WHERE name = %s AND mode LIKE %s'
    assert in_dialect(ours, "postgres") == ours
    assert in_dialect(ours, "snowflake", str.upper) == (
        'SELECT "ID", "_READ_ID" FROM "SALES_CRM"."ACCOUNTS" WHERE "NAME" = %s AND "MODE" LIKE %s'
    )
    assert in_dialect(ours, "bigquery") == (
        "SELECT `id`, `_read_id` FROM `sales_crm`.`accounts` WHERE `name` = %s AND `mode` LIKE %s"
    )
    with pytest.raises(WarehouseError, match="cannot be written for snowflake"):
        in_dialect("SELECT FROM WHERE", "snowflake")
