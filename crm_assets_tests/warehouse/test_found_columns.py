"""Fields that no column declares become columns, typed by all values, and take other values later."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_assets.declarations.models.columns import Column
from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.decode.decoder import table_schema
from crm_assets.extract.decode.destination_limits import UNLIMITED
from crm_assets.extract.decode.macros import define_macros
from crm_assets.extract.read_report import FoundBefore
from crm_assets.extract.staging.found_columns import fill_columns, found_columns
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.installation import failure
from crm_assets_tests.warehouse.growing_table import TABLE, grow_and_compare, open_to_all


def schema_check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    """Return what the check ``schema`` said in a run."""
    (said,) = (one for one in result.get_asset_check_evaluations() if one.check_name == "schema")
    return said


def test_a_table_grows_with_its_records(house: Build, connections: dict[str, Connection]) -> None:
    here = house(open_to_all(connections["paging"]))
    first = here.materialize("paging/whole")
    assert first.success, failure(first)
    kinds = {row["column_name"]: row["column_type"] for row in here.query(f"DESCRIBE {TABLE}")}
    assert {kinds[name] for name in ("name", "amount")} == {"VARCHAR"}
    assert (kinds["active"], kinds["happened"], kinds["parts"]) == ("BOOLEAN", "TIMESTAMP WITH TIME ZONE", "JSON")
    assert schema_check(first).passed
    whole = here.table("paging", "whole")

    here.change(f"DROP VIEW {TABLE}__current")
    here.change(f"ALTER TABLE {TABLE} ALTER amount TYPE BIGINT USING 7")
    here.change(f"ALTER TABLE {TABLE} DROP COLUMN name")
    here.change(f"CREATE VIEW {TABLE}__current AS SELECT * FROM {TABLE} WHERE _deleted_at IS NULL")
    again = here.materialize("paging/whole")
    assert again.success, failure(again)
    assert here.table("paging", "whole") == whole
    said = schema_check(again)
    assert not said.passed
    assert "amount was bigint and is text" in str(said.description)
    assert "name (text) is new" in str(said.description)


def test_fields_come_change_and_go(house: Build, connections: dict[str, Connection]) -> None:
    grow_and_compare(house(open_to_all(connections["paging"], history=True)))


RECORDS = [
    {"a": 1, "m": 1, "list": [1], "d.e": 1.5, "big": 9007199254740993, "huge": 12345678901234567890123, "*": 5, "": 6},
    {"a": 2.5, "m": "x", "list": "none", "firstName": "A", "first_name": "B", "flag": True, "never": None, "id": 9},
    {"at": "2026-01-01T00:00:00+02:00", "local": "2026-01-01T00:00:00", "day": "2026-01-31", "big": 1, "_extra": 1},
]
KINDS = {
    "a": "double", "m": "text", "list": "json", "d_e": "double", "big": "bigint", "huge": "text", "first_name": "text",
    "first_name_2": "text", "flag": "bool", "id_2": "bigint", "at": "timestamp", "local": "text", "day": "date",
    "extra": "bigint",
}  # fmt: skip


@pytest.fixture
def database() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    define_macros(database)
    extra = [json.dumps(record) for record in RECORDS]
    database.register("records", pa.table({"id": ["1", "2", "3"], "_extra": extra}))
    return database


def test_types_hold_all_values_and_names_are_free(
    database: duckdb.DuckDBPyConnection, connections: dict[str, Connection], tmp_path: Path
) -> None:
    key = Column.model_validate("text")
    found = found_columns(database, "records", {"id": key}, FoundBefore())
    assert {name: column.type.value for name, column in found.columns.items()} == KINDS
    assert found.changes == []
    resource = only(connections["paging"], "whole").system.resources[0]
    schema = table_schema(resource.model_copy(update={"columns": {"id": key, **found.columns}}))
    schema = pa.schema([field for field in schema if field.name != "_misfits"])
    fill_columns(database, "records", tmp_path / "rows", schema, found, UNLIMITED)
    first, second, third = pq.read_table(tmp_path / "rows").to_pylist()
    assert (first["a"], first["m"], first["big"], first["_extra"]) == (1.0, "1", 9007199254740993, '{"*":5,"":6}')
    assert (second["list"], second["first_name"], second["first_name_2"], second["id_2"]) == ('"none"', "A", "B", 9)
    assert third["at"].isoformat() == "2025-12-31T22:00:00+00:00"
    assert second["_extra"] is third["_extra"] is None


def test_a_column_takes_the_values_of_later_reads(database: duckdb.DuckDBPyConnection) -> None:
    whole = Column.model_validate("bigint")
    before = {"a": whole, "flag": whole, "gone": whole, "name": Column(type="text", source="first_name")}  # type: ignore[arg-type]
    found = found_columns(database, "records", {}, FoundBefore(before))
    kinds = {name: column.type.value for name, column in found.columns.items()}
    assert (kinds["a"], kinds["flag"], kinds["gone"]) == ("double", "text", "bigint")
    assert found.columns["first_name"].source == "firstName", "a name is kept by the field that had it"
    assert "flag was bigint and is text" in found.changes
    beyond = found_columns(database, "records", {}, FoundBefore(before, frozenset({"a"})))
    assert beyond.columns["a"].type.value == "text", "no double holds what is stored"
