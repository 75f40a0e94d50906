"""A list whose key is declared anew: its table has every row once, by the key that is declared now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crm_assets_tests.conftest import Build
from crm_assets_tests.installation import failure
from crm_assets_tests.warehouse.living_api import listing, living_api

RECORDS = [{"id": 1, "part": "a"}, {"id": 1, "part": "b"}, {"id": 2, "part": "a"}]
BY_ID = listing("things", {"part": "text"})
BY_BOTH = {**listing("things", {"part": {"type": "text", "nullable": False}}), "primary_key": ["id", "part"]}
EVERY_READ = {**BY_BOTH, "write_disposition": "append"}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__DESK__TOKEN", "a-token-0123456789")


@pytest.mark.parametrize(
    ("destination", "before", "after", "rows"),
    [
        pytest.param("duckdb", listing("things"), BY_BOTH, [(1, "a"), (1, "b"), (2, "a")], id="grows by a new column"),
        pytest.param("duckdb", BY_BOTH, BY_ID, [(1, "b"), (2, "a")], id="shrinks"),
        pytest.param("postgres", BY_BOTH, BY_ID, [(1, "b"), (2, "a")], id="shrinks in PostgreSQL"),
        pytest.param("duckdb", EVERY_READ, BY_BOTH, [(1, "a"), (1, "b"), (2, "a")], id="rows of all reads are merged"),
    ],
    indirect=["destination"],
)
def test_every_row_is_there_once(
    house: Build, tmp_path: Path, before: dict[str, Any], after: dict[str, Any], rows: list[tuple[int, str]]
) -> None:
    def answer(*_: Any) -> Any:
        return {"items": RECORDS}

    with living_api(house, tmp_path, answer, before) as api:
        api.sync()
    (folder := tmp_path / "again").mkdir()
    with living_api(house, folder, answer, after) as api:
        for _ in range(2):
            api.sync()
            assert sorted((row["id"], row["part"]) for row in api.rows("things")) == rows


def test_a_list_without_a_key_that_cannot_be_loaded_costs_the_others_nothing(house: Build, tmp_path: Path) -> None:
    keyless = {**listing("things", {"name": "text"}), "primary_key": []}
    with living_api(house, tmp_path, lambda *_: {"items": [{"id": 1}]}, keyless, listing("others")) as api:
        api.sync()
        api.installation.change("DROP VIEW desk.things__current; CREATE TABLE desk.things__current (theirs INT)")
        result = api.installation.materialize("desk/things", "desk/others")
        assert "desk.things could not be written: " in failure(result)
        assert api.ids("others") == [1]
