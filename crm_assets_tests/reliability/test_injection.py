"""Names, keys and values from outside never become SQL, and nasty records are all accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from crm_assets.declarations.connections import load_connections
from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.models.connection import Connection
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.installation import Installation
from crm_assets_tests.reliability.conftest import own_house
from crm_assets_tests.transcripts.server import TranscriptServer
from crm_assets_tests.transcripts.transcript import Exchange

ROBERT = """Robert'); DROP TABLE "order"; --"""
NAMES = ["a b", 'a"b', "a'b", "a;b", "a.b", "A", "ä", "", "a--", "1a", "_dlt_id", "a\nb"]
SYSTEM = """
title: Nasty
client: {base_url: "https://api.example.com", auth: {type: bearer}}
resource_defaults:
  primary_key: select
  endpoint: {data_selector: data, paginator: single_page}
resources:
  - name: order
    endpoint: {path: /order}
    columns:
      select: {type: text, nullable: false, source: key}
      from: {type: text, source: "it's a \\"table\\"; --"}
      group: {type: decimal}
      when: {type: timestamp}
      limit: {type: json}
  - name: table
    parent: {resource: order, field: select, bind: order_select}
    endpoint: {path: "/order/{order_select}/table"}
    columns: {select: {type: text, nullable: false}, order: {type: text, source: "{order_select}"}}
"""


def installation(folder: Path, system: str, base_url: str, name: str = "nasty") -> Installation:
    """Return an installation of one connection with a system of its own."""
    (folder / "systems").mkdir(exist_ok=True)
    (folder / "systems" / "own.yaml").write_text(system)
    path = folder / "connections.yaml"
    entry = {"name": name, "system": "own", "base_url": base_url}
    path.write_text(json.dumps({"systems": "systems", "connections": [entry]}))
    (connection,) = load_connections(path)
    return own_house(connection, folder)


def answer(path: str, records: list[Any]) -> Exchange:
    """Return an exchange with records."""
    request = {"method": "GET", "path": path, "query": {}}
    return Exchange.model_validate({"request": request, "answer": {"text": json.dumps({"data": records})}})


def test_nasty_records_and_names_from_the_api_to_the_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__NASTY__TOKEN", "t0k3n")
    key, wire = "key", 'it\'s a "table"; --'
    records: list[Any] = [
        {key: ROBERT, wire: ROBERT, "group": "1.5", "when": "2024-03-01T00:00:00Z", "limit": {ROBERT: [ROBERT]}},
        {key: "%s {0} $1 ?", wire: "\x00 \u2028 😀 \\ \n", "group": "NaN", "when": ROBERT},
        {key: "3", ROBERT: ROBERT, "group": 10**400, "when": "9999-99-99"},
        {key: None, wire: ROBERT},
        ROBERT,
        None,
    ]
    exchanges = [answer("/order", records)]
    exchanges += [answer(f"/order/{quote(one[key], safe='')}/table", [{"select": ROBERT}]) for one in records[:3]]
    with TranscriptServer(tuple(exchanges)) as server:
        house = installation(tmp_path, SYSTEM, server.url)
        (result,) = house.load("nasty")
        assert not server.complaints, server.complaints
    rows = {row["select"]: row for row in house.query('SELECT * FROM nasty."order"')}
    assert rows.keys() == {ROBERT, "%s {0} $1 ?", "3"}
    assert rows[ROBERT]["from"] == ROBERT
    assert json.loads(rows[ROBERT]["limit"]) == {ROBERT: [ROBERT]}
    assert rows["%s {0} $1 ?"]["from"] == "\x00 \u2028 😀 \\ \n"
    assert json.loads(rows["%s {0} $1 ?"]["_misfits"]) == {"group": "NaN", "when": ROBERT}
    assert json.loads(rows["3"]["_extra"]) == {ROBERT: ROBERT}
    assert json.loads(rows["3"]["_misfits"]).keys() == {"group", "when"}
    assert len(house.query('SELECT * FROM nasty."order__rejected"')) == 3
    children = house.query('SELECT "select", "order" FROM nasty."table" ORDER BY 2')
    assert {row["select"] for row in children} == {ROBERT}
    checks = {(one.asset_key.path[-1], one.check_name): one for one in result.get_asset_check_evaluations()}
    assert checks["order", "completeness"].passed
    assert "3 records were rejected" in str(checks["order", "primary_key"].description)
    assert "did not fit their type in group (2), when (2)" in str(checks["order", "schema"].description)


def test_the_declaration_is_sound_as_it_is(tmp_path: Path) -> None:
    assert installation(tmp_path, SYSTEM, "https://api.example.com").connections.keys() == {"nasty"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["  - name: order", "      from: {type", "connection"])
def test_names_that_need_quoting_are_refused(place: str, name: str, tmp_path: Path) -> None:
    written = json.dumps(name)
    replacement = {"  - name: order": f"  - name: {written}", "      from: {type": f"      {written}: {{type"}
    system = SYSTEM.replace(place, replacement.get(place, place), 1)
    with pytest.raises(SpecError):
        installation(tmp_path, system, "https://api.example.com", name if place == "connection" else "nasty")


@pytest.mark.parametrize("key", [f"2024-03-01{ROBERT}", "2024-03-01' OR '1'='1", "2024-03-01; DROP SCHEMA service_crm"])
def test_partition_keys_never_become_sql(key: str, house: Build, connections: dict[str, Connection]) -> None:
    mine = house(only(connections["service_crm"], "appointments"))
    assert mine.materialize("service_crm/appointments", day="2024-03-01").success
    before = mine.snapshot("service_crm")
    for tags in (
        {"dagster/asset_partition_range_start": key, "dagster/asset_partition_range_end": key},
        {"dagster/asset_partition_range_start": "2024-03-01", "dagster/asset_partition_range_end": key},
    ):
        with pytest.raises(Exception, match=r"(?i)partition|time data|unconverted|format"):
            assert mine.materialize("service_crm/appointments", tags=tags).success, "no such partition"
    assert mine.snapshot("service_crm") == before
