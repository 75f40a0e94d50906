"""Descriptions in the warehouse's own catalogue."""

from __future__ import annotations

import pytest

from crm_assets.declarations.models.connection import Connection
from crm_assets.warehouse.comments import describe
from crm_assets.warehouse.session import WarehouseSession
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.installation import Installation

COLUMNS = "SELECT column_name AS name, comment FROM duckdb_columns() WHERE schema_name = 'sales_crm' AND table_name = "


def comments(here: Installation) -> dict[str, str]:
    return {row["name"]: row["comment"] for row in here.query(f"{COLUMNS}'accounts'") if row["comment"]}


def test_descriptions_are_comments_and_follow_the_declaration(
    house: Build, connections: dict[str, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = only(connections["sales_crm"], "accounts")
    here = house(declared)
    assert here.materialize("sales_crm/accounts").success
    accounts = declared.system.resource("accounts")
    told = comments(here)
    described = {name: column.description for name, column in accounts.columns.items() if column.description}
    assert described
    assert {name: " ".join(text.split()) for name, text in described.items()}.items() <= told.items()
    assert told["_deleted_at"] == "When a complete read no longer found the row at the source."
    (table,) = here.query("SELECT comment FROM duckdb_tables() WHERE table_name = 'accounts'")
    assert table["comment"] == " ".join(accounts.description.split())
    here.change("COMMENT ON COLUMN sales_crm.accounts._read_id IS 'something else'")
    written: list[str] = []
    write = WarehouseSession.write
    monkeypatch.setattr(
        WarehouseSession, "write", lambda self, sql, *rest: (written.append(sql), write(self, sql, *rest))
    )
    with here.warehouse.session("sales_crm", here.folder, print) as session:
        quoted = accounts.model_copy(update={"description": "It's 100% ours; --\n -- a \\ %s"})
        describe(session, [quoted])
        describe(session, [quoted])
    assert len(written) == 2, "only what differs is written"
    assert comments(here) == told
    (table,) = here.query("SELECT comment FROM duckdb_tables() WHERE table_name = 'accounts'")
    assert table["comment"] == "It's 100% ours; -- -- a \\ %s"
