"""Declarations that change after the first load: made by the load where every value is kept, refused before it else."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from crm_assets.commands.migrate import migrate, render_migrations
from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.declarations.models.connection import Connection
from crm_assets.errors import CommandError
from crm_assets_tests.conftest import Build, HouseWith, only
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.installation import Installation, failure

TABLE = "paging.whole"


@pytest.fixture
def whole(house_with: HouseWith, connections: dict[str, Connection]) -> Installation:
    """An installation that read two lists once."""
    return house_with(only(connections["paging"], "whole", "by_page"))


def made_before(house: Installation, *changes: str) -> None:
    """Let the table be as an earlier declaration made it."""
    house.change(f"DROP VIEW {TABLE}__current")
    for change in changes:
        house.change(f"ALTER TABLE {TABLE} {change}")
    house.change(f"CREATE VIEW {TABLE}__current AS SELECT * FROM {TABLE} WHERE _deleted_at IS NULL")


def said_by(house: Installation, execute: bool, only_resource: str | None = "whole") -> str:
    """Return what ``crm-assets migrate`` prints."""
    screen = Console(file=io.StringIO(), width=1000)
    screen.print(render_migrations([migrate(house.connections["paging"], house.warehouse, only_resource, execute)]))
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def with_columns(connection: Connection, **changed: Column) -> Connection:
    """Return a connection of one list, some of its columns declared in another way."""
    (resource,) = connection.system.resources
    resource = resource.model_copy(update={"columns": {**resource.columns, **changed}})
    return connection.model_copy(update={"system": connection.system.model_copy(update={"resources": (resource,)})})


def columns(house: Installation) -> dict[str, str]:
    found = house.query("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'whole'")
    return {row["column_name"]: row["data_type"] for row in found}


def test_what_keeps_every_value_is_done_by_the_load(whole: Installation) -> None:
    declared = columns(whole)
    made_before(whole, "ALTER amount TYPE BIGINT USING 7", "ALTER name TYPE BIGINT USING 12345678901234567")
    whole.change(
        f"INSERT INTO {TABLE} (id, name, amount, _read_id) VALUES (900001, 9223372036854775807, 9007199254740992, 'x')"
    )
    assert all(result.success for result in whole.load("paging"))
    assert {name: kind for name, kind in columns(whole).items() if name in ("amount", "name")} == {
        name: declared[name] for name in ("amount", "name")
    }
    kept = whole.query(f"SELECT name, CAST(amount AS BIGINT) AS amount FROM {TABLE} WHERE id = 900001")
    assert kept == [{"name": "9223372036854775807", "amount": 9007199254740992}]
    assert whole.table("paging", "whole", "_deleted_at IS NULL") == whole.truth("paging", "whole")
    assert whole.check("paging/whole", "schema")["schema"].passed


def test_a_column_that_may_be_null_now(whole: Installation) -> None:
    whole.change(f"UPDATE {TABLE} SET amount = 0 WHERE amount IS NULL")
    made_before(whole, "ALTER amount SET NOT NULL", "ADD COLUMN gone VARCHAR DEFAULT 'x'", "ALTER gone SET NOT NULL")
    result = whole.materialize("paging/whole")
    assert result.success, failure(result)
    assert whole.table("paging", "whole") == whole.truth("paging", "whole")


def test_what_may_not_fit_is_refused_before_anything_is_asked(whole: Installation, sandbox: FaultySandbox) -> None:
    made_before(whole, "ALTER id TYPE VARCHAR")
    before = whole.snapshot("paging")["whole"]
    sandbox.requests.clear()
    (result,) = whole.load("paging")
    assert not result.success
    assert "paging.whole: the type of a column has changed (id is VARCHAR and is declared bigint now)" in failure(
        result
    )
    assert "crm-assets migrate paging.whole" in failure(result)
    assert whole.snapshot("paging")["whole"] == before
    assert not [*sandbox.requests.of("paging", "whole")]
    assert [*sandbox.requests.of("paging", "by_page")], "its sibling is read and loaded"
    assert [event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key] == [
        "by_page"
    ]


def test_a_dry_run_changes_nothing_and_a_confirmed_one_heals(whole: Installation) -> None:
    before = whole.table("paging", "whole")
    made_before(whole, "ALTER id TYPE VARCHAR")
    file = whole.warehouse.database.read_bytes()
    said = said_by(whole, execute=False)
    assert f"id: VARCHAR becomes bigint; {len(before)} of {len(before)} values are kept exactly." in said
    assert "Nothing was changed." in said
    assert whole.warehouse.database.read_bytes() == file
    assert "Done." in said_by(whole, execute=True, only_resource=None)
    assert whole.table("paging", "whole") == before
    assert said_by(whole, execute=False) == "Every table is as declared, or the next sync makes it so.\n"
    assert all(result.success for result in whole.load("paging"))
    assert whole.check("paging/whole", "schema")["schema"].passed


def test_values_that_do_not_fit_stay_beside_the_column(whole: Installation) -> None:
    made_before(whole, "ALTER amount TYPE VARCHAR USING CASE WHEN id % 2 = 0 THEN 'twelve' ELSE '12.5' END")
    values = whole.query(f"SELECT id, amount FROM {TABLE} ORDER BY id")
    said = said_by(whole, execute=True)
    assert "The column stays as amount__v_text, with all values" in said
    found = whole.query(f"SELECT id, amount__v_text AS amount FROM {TABLE} ORDER BY id")
    assert found == values
    assert whole.query(f"SELECT DISTINCT amount::VARCHAR::DOUBLE AS amount FROM {TABLE} ORDER BY ALL") == [
        {"amount": 12.5},
        {"amount": None},
    ]
    assert all(result.success for result in whole.load("paging"))
    assert whole.table("paging", "whole") == whole.truth("paging", "whole")


def test_a_key_cannot_lose_values(whole: Installation) -> None:
    made_before(whole, "ALTER id TYPE VARCHAR USING 'A-' || id")
    before = whole.warehouse.database.read_bytes()
    assert "Cannot be done: id: VARCHAR becomes bigint; 0 of" in said_by(whole, execute=False)
    with pytest.raises(CommandError, match=r"paging\.whole cannot be migrated: id: VARCHAR becomes bigint; 0 of"):
        said_by(whole, execute=True)
    assert whole.warehouse.database.read_bytes() == before


def test_whole_numbers_beyond_a_double_are_refused(house: Build, connections: dict[str, Connection]) -> None:
    """2**53 + 1 is the first whole number that a double does not hold."""
    one = only(connections["paging"], "whole")
    amount = one.system.resources[0].columns["amount"].model_copy(update={"type": ColumnType.DOUBLE})
    here = house(with_columns(one, amount=amount))
    assert here.materialize("paging/whole").success
    made_before(here, "ALTER amount TYPE BIGINT USING 9007199254740993")
    assert "amount is BIGINT and is declared double now" in failure(here.materialize("paging/whole"))
    here.change(f"UPDATE {TABLE} SET amount = 9007199254740992")
    assert here.materialize("paging/whole").success
    assert columns(here)["amount"] == "DOUBLE"


def test_a_required_column_that_is_added(
    house: Build, house_with: HouseWith, connections: dict[str, Connection]
) -> None:
    here = house_with(only(connections["paging"], "whole"))
    here.change(f"DROP VIEW {TABLE}__current; ALTER TABLE {TABLE} DROP COLUMN active")
    (resource,) = here.connections["paging"].system.resources
    filled = resource.columns["active"].model_copy(update={"nullable": False})
    later = house(with_columns(only(connections["paging"], "whole"), active=filled))
    result = later.materialize("paging/whole")
    nulls = any(row["active"] is None for row in later.truth("paging", "whole"))
    assert result.success != nulls, failure(result)
    if not nulls:
        assert later.check("paging/whole", "schema")["schema"].passed


def test_a_table_that_was_dropped_is_made_again(whole: Installation) -> None:
    for _ in ("by a load of more lists", "by the same load"):  # whose schema dlt knows
        whole.change(f"DROP VIEW {TABLE}__current; DROP TABLE {TABLE}")
        result = whole.materialize("paging/whole")
        assert result.success, failure(result)
    assert whole.table("paging", "whole") == whole.truth("paging", "whole")
    assert whole.check("paging/whole", "schema")["schema"].passed


def test_dlt_runs_only_where_a_table_is_to_be_made_or_widened(whole: Installation, sandbox: FaultySandbox) -> None:
    def runs() -> int:
        return len(whole.query("SELECT load_id FROM paging._dlt_loads"))

    before = runs()
    assert whole.materialize("paging/whole").success
    assert runs() == before
    made_before(whole, "DROP COLUMN amount")
    assert whole.materialize("paging/whole").success
    assert runs() == before + 1
    for _ in range(2):
        sandbox.faults.push(Fault("null_id", "paging", "whole"))
        whole.materialize("paging/whole")
        assert runs() == before + 2, "of rejected records"
    assert len(whole.query(f"SELECT reason FROM {TABLE}__rejected")) == 1
    assert whole.table("paging", "whole") == whole.truth("paging", "whole")


@pytest.mark.parametrize("destination", ["duckdb", "postgres"], indirect=True)
def test_a_load_that_fails_after_a_column_was_added_leaves_the_rows_and_their_view(whole: Installation) -> None:
    """Columns are added before the transaction of the rows, which dlt's tables need: a load may end between the two."""
    before = whole.table("paging", "whole")
    whole.change(f"DROP VIEW {TABLE}__current; ALTER TABLE {TABLE} DROP COLUMN amount")
    whole.change(f"CREATE VIEW {TABLE}__current AS SELECT * FROM {TABLE} WHERE _deleted_at IS NULL")
    whole.change("ALTER TABLE paging._reads ADD COLUMN theirs BIGINT DEFAULT 0")
    whole.change("ALTER TABLE paging._reads ALTER COLUMN theirs SET NOT NULL")
    whole.change("ALTER TABLE paging._reads ALTER COLUMN theirs DROP DEFAULT")
    result = whole.materialize("paging/whole")
    assert (
        failure(result)
        .partition("Its ")[2]
        .startswith("rows are as they were. Columns that are new in its declaration are there, without values.")
    )
    assert [row["amount"] for row in whole.query(f"SELECT amount FROM {TABLE}__current")] == [None] * len(before)
    whole.change("ALTER TABLE paging._reads DROP COLUMN theirs")
    assert whole.materialize("paging/whole").success
    assert whole.table("paging", "whole") == before
