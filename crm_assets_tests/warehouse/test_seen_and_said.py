"""What an API sends that a table cannot hold, or never sends: the list is loaded, and the checks name it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from crm_assets_tests.conftest import Build
from crm_assets_tests.installation import Installation
from crm_assets_tests.postgres import PostgresHouse
from crm_assets_tests.warehouse.living_api import listing, living_api

WARN = dg.AssetCheckSeverity.WARN


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__DESK__TOKEN", "a-token-0123456789")


def check(installation: Installation, name: str) -> tuple[bool, dg.AssetCheckSeverity, str]:
    found = installation.check("desk/things", name)[name]
    return found.passed, found.severity, str(found.description)


def test_a_column_that_no_record_contains_is_named_until_one_does(house: Build, tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"id": n, "Name": "x", "empty": None} for n in range(3)]
    columns = {"name": "text", "empty": "text", "mail": {"type": "text", "source": "contact.mail.0.text"}}
    declared = listing("things", {**columns, "title": {"type": "text", "source": "Name"}})
    with living_api(house, tmp_path, lambda *_: {"items": records}, declared) as api:
        api.sync()
        passed, severity, sentence = check(api.installation, "schema")
        assert (passed, severity) == (False, WARN)
        assert "Declared, but in none of 3 records: mail, name" in sentence
        records[:] = [{"id": 1, "Name": "x", "name": "y", "empty": None, "contact": {"mail": [{"text": "a@x"}]}}]
        api.sync()
        assert check(api.installation, "schema")[0]


def test_a_column_holds_a_parameter_of_the_connection(house: Build, tmp_path: Path) -> None:
    declared = listing("things", {"team": {"type": "bigint", "source": "{team}"}})
    team = {"team": {"description": "Number of the team"}}
    with living_api(
        house, tmp_path, lambda *_: {"items": [{"id": 1}]}, declared, params={"team": 7}, system_params=team
    ) as api:
        api.sync()
        assert [row["team"] for row in api.rows("things")] == [7]


def test_records_without_a_required_value_are_named_and_stop_nothing(house: Build, tmp_path: Path) -> None:
    items = [{"id": 1, "name": "x"}, {"id": 2, "name": None}, {"id": 3}]
    things = listing("things", {"name": {"type": "text", "nullable": False}})
    with living_api(house, tmp_path, lambda *_: {"items": items}, things, listing("others", {"name": "text"})) as api:
        assert not api.installation.materialize("desk/things", "desk/others").success
        assert (api.ids("things"), api.ids("others")) == ([1], [1, 2, 3])
        passed, _, sentence = check(api.installation, "primary_key")
        assert not passed
        assert "2 records were rejected (kept in things__rejected): name is required" in sentence
        assert "(id: 2; 3)" in sentence
        api.installation.change("DROP TABLE desk.things__rejected")
        api.installation.materialize("desk/things", "desk/others")
        assert len(api.installation.query("SELECT * FROM desk.things__rejected")) == 2, "it is made again"


def test_what_postgres_cannot_hold_is_kept_beside_the_row(postgres: None, house: Build, tmp_path: Path) -> None:
    odd = {"id": 1, "name": "a\0b", "tree": {"k": "\0"}, "more": ["\0"]}
    declared = listing("things", {"name": "text", "tree": "json"})
    with living_api(house, tmp_path, lambda *_: {"items": [odd, {"id": 2, "name": "c"}]}, declared) as api:
        chosen = api.installation.connections.values()
        warehouse = PostgresHouse(
            api.installation.sandbox,
            api.installation.served_at,
            tmp_path / "pg",
            chosen,
            destination="postgres",
            base_url=api.installation.base_url,
        )
        assert warehouse.materialize("desk/things").success
        first, second = warehouse.query("SELECT * FROM desk.things ORDER BY id")
        assert (first["name"], first["tree"], second["name"]) == (None, None, "c")
        assert first["_misfits"] == {"name": r"a\u0000b", "tree": {"k": r"\u0000"}}
        assert first["_extra"] == {"more": [r"\u0000"]}
        assert "Values did not fit their type in name (1), tree (1)" in check(warehouse, "schema")[2]
