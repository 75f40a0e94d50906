"""What a read of changes looks at: its own rows, and never less than it needs to be right."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from crm_assets.orchestration.keys import FULL_TAG
from crm_assets.warehouse.found_before import found_before
from crm_assets.warehouse.schema_changes import EXACT_IN_DOUBLE
from crm_assets_tests.conftest import Build
from crm_assets_tests.warehouse.living_api import LivingApi, listing, living_api

BEGUN = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(days=2)
SINCE = {"field": "updated_at", "params": {"since": "{incremental.start_value}"}, "lookback": "0s"}
on_both = pytest.mark.parametrize("destination", ["duckdb", "postgres"], indirect=True)


class Things:
    """Records by key, each with the time of its last change; the server returns what changed after a moment, and 1."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.now = BEGUN

    def put(self, key: int, owner: int, serial: int = 0) -> None:
        self.rows[key] = {
            "id": key,
            "updated_at": self.now.isoformat(),
            "owner_id": owner,
            "seller": str(owner),
            "serial": serial,
        }

    def answer(self, path: str, query: dict[str, str]) -> Any:
        if path == "/owners":
            return {"items": [{"id": 1}, {"id": 2}]}
        self.now += timedelta(seconds=1)
        since = query["since"].replace("Z", "+00:00") if "since" in query else "2000-01-01T00:00:00+00:00"
        return {"items": [row for row in self.rows.values() if row["updated_at"] > since or row["id"] == 1]}


@pytest.fixture
def things() -> Things:
    return Things()


@pytest.fixture
def api(house: Build, tmp_path: Path, things: Things, monkeypatch: pytest.MonkeyPatch) -> Iterator[LivingApi]:
    """Records with versions, a column of an undeclared field, and values that name an owner, as number and as text."""
    monkeypatch.setenv("SOURCES__DESK__TOKEN", "a-token-0123456789")
    names = {
        name: {"type": kind, "references": "owners"} for name, kind in (("owner_id", "bigint"), ("seller", "text"))
    }
    columns = {"updated_at": "timestamp", **names}
    declared = listing("things", columns, incremental=SINCE, history=True, undeclared_fields="columns")
    with living_api(house, tmp_path, things.answer, listing("owners"), declared) as served:
        yield served
        served.installation.clear()


def references(api: LivingApi) -> tuple[str, str]:
    """Read the changes; return what the check says then, and what it says of the whole table."""
    result = api.installation.materialize("desk/things")
    (after,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "references"]
    alone = api.installation.check("desk/things", "references")["references"]
    return str(after.description), str(alone.description)


def versions(api: LivingApi) -> list[dict[str, Any]]:
    return api.installation.query(
        "SELECT id, owner_id, _valid_to IS NULL AS current, _valid_from, _valid_to FROM desk.things__history "
        "ORDER BY id, _valid_from"
    )


def inexact(api: LivingApi) -> set[str]:
    here = api.installation
    with here.warehouse.session("desk", here.folder, print) as session:
        return {*found_before(session, here.resources("desk")["things"]).inexact}


@on_both
def test_increments_leave_what_full_reads_would(
    api: LivingApi, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["crm_assets.orchestration.checks.references"], "_JOINED_WHOLE", 0)
    for key in (1, 2, 3):
        things.put(key, owner=1)
    api.sync()
    things.put(2, owner=7, serial=EXACT_IN_DOUBLE + 1)
    things.put(4, owner=2)
    after, alone = references(api)
    assert after.startswith("1 of 3 values of owner_id that this read brought are not in owners; 1 of 3 values of sell")
    assert alone.startswith("1 of 3 values of owner_id are not in owners; 1 of 3 values of seller are not in owners")
    things.put(3, owner=2)
    after, alone = references(api)
    assert after == "All values of owner_id, seller that this read brought are found."
    assert alone.startswith("1 of 3 values of owner_id are not in owners")
    assert inexact(api) == {"serial"}, "a read knows what the one before it saw"
    found = versions(api)
    assert [(row["id"], row["owner_id"], row["current"]) for row in found] == [
        (1, 1, True),
        (2, 1, False),
        (2, 7, True),
        (3, 1, False),
        (3, 2, True),
        (4, 2, True),
    ]
    api.sync("things", tags={FULL_TAG: "true"})
    assert versions(api) == found


def test_a_small_table_is_looked_up_whole(api: LivingApi, things: Things) -> None:
    """What an earlier read brought and is not found stays a warning."""
    things.put(1, owner=7)
    api.sync()
    things.put(2, owner=1)
    after, alone = references(api)
    assert after == alone
    assert after.startswith("1 of 2 values of owner_id are not in owners")


def test_versions_that_were_not_kept_for_a_while_are_made_good(api: LivingApi, things: Things) -> None:
    for key in (1, 2):
        things.put(key, owner=1)
    api.sync()
    here = api.installation
    here.change("UPDATE desk._reads SET details = replace(details, '\"history\": true', '\"history\": false')")
    here.change("DELETE FROM desk.things__history WHERE id = 1")
    things.put(2, owner=2)
    api.sync("things")
    assert [(row["id"], row["current"]) for row in versions(api)] == [(1, True), (2, False), (2, True)]


@on_both
def test_windows_leave_what_a_look_at_the_whole_table_would(
    house: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__DESK__TOKEN", "a-token-0123456789")
    today, days = BEGUN.date(), [str(BEGUN.date() - timedelta(days=back)) for back in (1, 0)]
    served = {1: (days[0], "a"), 2: (days[1], "a"), 3: (days[1], "a"), 4: (days[1], "a")}

    def answer(_: str, query: dict[str, str]) -> Any:
        return {
            "items": [
                {"id": key, "day": day, "name": name} for key, (day, name) in served.items() if day in query["from"]
            ]
        }

    window = {"field": "day", "params": {"from": "{window_start}"}, "per_partition": True}
    columns = {"day": "date", "name": "text"}
    declared = listing("visits", columns, window=window, history=True, max_delete_fraction=1)
    with living_api(house, tmp_path, answer, declared, start_date=today - timedelta(days=1)) as api:
        here = api.installation
        api.sync(dates=(days[0], days[1]))
        served |= {3: (days[1], "b"), 5: (days[1], "a")}
        del served[4]
        result = here.materialize("desk/visits", day=days[1])
        (keys,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "primary_key"]
        assert keys.description == "Every row that this read changed has its own id."
        found = here.query("SELECT id, name, _valid_to IS NULL AS current FROM desk.visits__history ORDER BY id, name")
        assert [tuple(row.values()) for row in found] == [
            (1, "a", True),
            (2, "a", True),
            (3, "a", False),
            (3, "b", True),
            (4, "a", False),
            (5, "a", True),
        ]
        kept = here.query("SELECT * FROM desk.visits__history ORDER BY id, name")
        here.change("DELETE FROM desk.visits__history WHERE id = 1")
        here.change(
            "UPDATE desk._reads SET finished_at = finished_at - INTERVAL '8' DAY WHERE table_rows = 4 AND rows = 4"
        )
        result = here.materialize("desk/visits", day=days[1])
        (keys,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "primary_key"]
        assert keys.description == "Every row has its own id."
        whole = here.query("SELECT * FROM desk.visits__history ORDER BY id, name")
        dated = ("_read_id", "_valid_from")
        assert [{**row, **dict.fromkeys(dated)} for row in whole] == [{**row, **dict.fromkeys(dated)} for row in kept]
        logged = here.query("SELECT rows, rows_new, deleted, table_rows FROM desk._reads ORDER BY started_at")
        assert [tuple(row.values()) for row in logged] == [(4, 4, 0, 4), (3, 1, 1, 4), (3, 0, 0, 4)]
        here.change("DELETE FROM desk.visits")
        assert here.materialize("desk/visits", day=days[1]).success
        logged = here.query("SELECT table_rows FROM desk._reads ORDER BY started_at DESC")
        assert logged[0]["table_rows"] == 3, "a table that was emptied is counted"
        here.clear()
