"""Progress of each list of a resource: what was skipped, added or declared otherwise is read however little changes."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm_assets.date_range import DateRange
from crm_assets.warehouse import list_progress
from crm_assets.warehouse.list_progress import list_ends
from crm_assets.warehouse.loaded_days import due_range
from crm_assets_tests.conftest import Build
from crm_assets_tests.warehouse.living_api import LivingApi, listing, living_api

NOW = datetime.now(timezone.utc).replace(microsecond=0)
OLD, NEW = NOW - timedelta(days=40), NOW - timedelta(hours=2)
TODAY = NOW.date()
START = TODAY - timedelta(days=9)
DAYS = [START + timedelta(days=number) for number in range(10)]
SINCE = {"field": "updated_at", "params": {"since": "{incremental.start_value}"}}
KIND = {"kind": {"type": "text", "source": "{kind}"}}
WINDOW = {"field": "day", "params": {"from": "{window_start}", "to": "{window_end}"}, "lookback_days": 2}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__DESK__TOKEN", "a-token-0123456789")


def folder_of(tmp_path: Path) -> Path:
    """Return a folder for another declaration of the same account."""
    (folder := tmp_path / "again").mkdir()
    return folder


def changed(query: dict[str, str], **records: datetime) -> dict[str, Any]:
    start = datetime.fromisoformat(query["since"].replace("Z", "+00:00")) if "since" in query else OLD
    return {"items": [{"id": int(key[1:]), "updated_at": at.isoformat()} for key, at in records.items() if at >= start]}


def ends(api: LivingApi, resource: str, *, by_index: bool) -> dict[str, date | datetime]:
    here = api.installation
    with here.warehouse.session("desk", here.folder, print) as session:
        assert list_progress._lookups_pay(session, here.resources("desk")[resource]) is by_index
        return list_ends(session, here.resources("desk")[resource], ZoneInfo("Pacific/Kiritimati"))


def days(query: dict[str, str], first: int = 0) -> list[dict[str, Any]]:
    asked = (date.fromisoformat(query["from"]), date.fromisoformat(query["to"]))
    return [{"id": first + DAYS.index(day), "day": str(day)} for day in DAYS if asked[0] <= day <= asked[1]]


@pytest.mark.parametrize("columns", [KIND, {}], ids=["with a column", "without"])
def test_the_list_of_a_fixed_value_has_its_own_starting_point(
    house: Build, tmp_path: Path, columns: dict[str, Any]
) -> None:
    refused = {"/things/closed"}

    def answer(path: str, query: dict[str, str]) -> Any:
        records = {"/things/open": {"n1": NEW}, "/things/closed": {"n2": OLD}, "/things/lost": {"n3": OLD}}
        return 403 if path in refused else changed(query, **records[path])

    def declared(*kinds: str) -> dict[str, Any]:
        endpoint = {"path": "/things/{kind}"}
        every = {"updated_at": "timestamp", **columns}
        return listing("things", every, for_each={"kind": list(kinds)}, endpoint=endpoint, incremental=SINCE)

    with living_api(house, tmp_path, answer, declared("open", "closed")) as api:
        api.sync()
        refused.clear()
        api.sync()
        assert api.ids("things") == [1, 2], "a list that was refused is read from its beginning"
    with living_api(house, folder_of(tmp_path), answer, declared("open", "closed", "lost")) as api:
        api.sync()
        assert api.ids("things") == [1, 2, 3], "so is that of a value that was added"


def test_days_that_were_skipped_are_read_by_a_later_run(house: Build, tmp_path: Path) -> None:
    """One list, of which the API serves eight rows at most, and refuses its first half."""
    refused = {START.isoformat()}

    def answer(_: str, query: dict[str, str]) -> Any:
        found = days(query)
        return 403 if query["from"] in refused and len(found) < 8 else {"items": found[:8]}

    things = listing("things", {"day": "date"}, window={**WINDOW, "max_rows": 8})
    with living_api(house, tmp_path, answer, things, start_date=START) as api:
        api.sync(dates=(str(START), str(TODAY)))
        assert len(api.ids("things")) == 5
        assert "skipped" in api.complaints("things")
        refused.clear()
        api.sync(dates=(str(DAYS[-2]), str(TODAY)))
        assert api.ids("things") == list(range(10))
        assert len(api.sync(dates=(str(DAYS[-2]), str(TODAY)))) == 1, "nothing is left to be read"


def test_days_of_a_table_that_was_dropped_are_due_again(house: Build, tmp_path: Path) -> None:
    things = listing("things", {"day": "date"}, window=WINDOW)
    with living_api(house, tmp_path, lambda _, query: {"items": days(query)}, things, start_date=START) as api:
        connection = api.installation.connections["desk"]

        def due() -> DateRange:
            here = api.installation.warehouse
            with here.working_folder() as folder, here.session("desk", folder, print) as session:
                return due_range(session, connection, connection.system.resource("things"), TODAY)

        api.sync(dates=(str(START), str(TODAY)))
        assert due().start > START
        api.installation.change("DROP VIEW desk.things__current; DROP TABLE desk.things")
        assert due().start == START


def test_a_fixed_value_that_was_refused_or_added_is_read_for_all_loaded_days(house: Build, tmp_path: Path) -> None:
    refused, firsts = {"/things/closed"}, {"/things/open": 0, "/things/closed": 100, "/things/lost": 200}

    def answer(path: str, query: dict[str, str]) -> Any:
        return 403 if path in refused else {"items": days(query, firsts[path])}

    def declared(*kinds: str) -> dict[str, Any]:
        endpoint = {"path": "/things/{kind}"}
        return listing("things", {"day": "date"}, for_each={"kind": list(kinds)}, endpoint=endpoint, window=WINDOW)

    with living_api(house, tmp_path, answer, declared("open", "closed"), start_date=START) as api:
        api.sync(dates=(str(START), str(TODAY)))
        refused.clear()
        api.sync(dates=(str(TODAY), str(TODAY)))
        assert len(api.ids("things")) == 20
    with living_api(house, folder_of(tmp_path), answer, declared("open", "closed", "lost"), start_date=START) as api:
        api.sync(dates=(str(TODAY), str(TODAY)))
        assert len(api.ids("things")) == 30


def test_another_declaration_reads_everything_once(house: Build, tmp_path: Path) -> None:
    def answer(_: str, query: dict[str, str]) -> Any:
        found = changed(query, n1=OLD, n2=NEW)
        return {"items": [{**record, "state": "open" if record["id"] == 2 else "won"} for record in found["items"]]}

    only_open = {"record_filter": [{"field": "state", "in": ["open"]}]}
    declared = {"name": "things", "columns": {"updated_at": "timestamp"}, "incremental": SINCE}
    with living_api(house, tmp_path, answer, listing(**declared, endpoint=only_open)) as api:
        api.sync()
        assert api.ids("things") == [2]
    with living_api(house, folder_of(tmp_path), answer, listing(**declared)) as api:
        (asked,) = api.sync()
        assert ("since" in asked.query, api.ids("things")) == (False, [1, 2])
        (asked,) = api.sync()
        assert "since" in asked.query


@pytest.mark.parametrize("destination", ["duckdb", "postgres"], indirect=True)
def test_each_list_ends_at_its_newest_trusted_row(
    house: Build, tmp_path: Path, destination: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By index or from all rows alike, whatever a CRM calls its columns: here it has those of the read log."""
    later, kinds = NOW + timedelta(days=400), {"kind": ["plain", "mixed", "future", "undated", "broken"]}
    times = {"plain": [OLD, NEW], "mixed": [OLD, later], "future": [later], "undated": [None], "broken": [NEW]}
    columns = {"complete": "bool", "resource": {"type": "text", "source": "{kind}"}}

    def answer(path: str, _: dict[str, str]) -> Any:
        kind, number = path.split("/")[2], 10 * [*times].index(path.split("/")[2])
        found = [at and (at.isoformat() if "things" in path else str(at.date())) for at in times[kind]]
        return {"items": [{"id": number + n, "started_at": at, "complete": True} for n, at in enumerate(found)]}

    by_moment = listing(
        "things",
        {**columns, "started_at": "timestamp"},
        for_each=kinds,
        endpoint={"path": "/things/{kind}"},
        incremental={**SINCE, "field": "started_at"},
    )
    by_day = listing(
        "days",
        {**columns, "started_at": "date", "rows": {"type": "text", "source": "{state}"}},
        for_each={**kinds, "state": ["open", "won"]},
        endpoint={"path": "/days/{kind}/{state}"},
        incremental={**SINCE, "field": "started_at"},
        primary_key=["id", "rows"],
    )
    with living_api(house, tmp_path, answer, by_moment, by_day) as api:
        api.sync()
        for resource, key in (("things", '"broken"'), ("days", r'"[\"broken\", \"open\"]"')):
            skipped = f"replace(details, '\"passed_over\": []', '\"passed_over\": [{key}]')"
            api.installation.change(f"UPDATE desk._reads SET details = {skipped} WHERE resource = '{resource}'")
        began = {
            row["resource"]: row["started_at"].astimezone(timezone.utc)
            for row in api.installation.query("SELECT resource, started_at FROM desk._reads")
        }
        for rows_per_lookup in (0, 1000):
            monkeypatch.setattr(list_progress, "_ROWS_PER_LOOKUP", rows_per_lookup)
            by_index = destination == "postgres" and not rows_per_lookup
            assert ends(api, "things", by_index=by_index) == {"plain": NEW, "mixed": OLD, "future": began["things"]}
            assert ends(api, "days", by_index=by_index) == {
                **{f'["plain", "{state}"]': NEW.date() for state in ("open", "won")},
                **{f'["mixed", "{state}"]': OLD.date() for state in ("open", "won")},
                **{f'["future", "{state}"]': began["days"] for state in ("open", "won")},
                '["broken", "won"]': NEW.date(),
            }
