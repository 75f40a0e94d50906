"""What declarations say decides what records hold: examples, references and classes of personal data."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from crm_assets.declarations import load_connections
from crm_assets.sandbox.people import colleague, groups_in, person, retold
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.sandbox.conftest import START, TODAY

SYSTEM = """
client: {base_url: "https://api.shop.test", auth: {type: bearer}}
resource_defaults:
  primary_key: id
  endpoint: {data_selector: data, paginator: {type: page_number, end: empty_page}}
resources:
  - name: agents
    endpoint: {path: /agents}
    columns:
      id: {type: bigint, nullable: false}
      a: {type: text, examples: [Cora North]}
  - name: clients
    endpoint: {path: /clients}
    columns:
      id: {type: text, nullable: false, examples: [7-clients]}
      a: {type: text, examples: [Ada]}
      b: {type: json, examples: [[{x: "Ada Stone <ada@stone.example>", y: [US, 1]}]]}
      c: {type: text, pii: email}
      agent: {type: bigint, references: agents}
      helper: {type: text, examples: [Cora North]}
  - name: jobs
    endpoint: {path: /jobs}
    columns:
      id: {type: bigint, nullable: false}
      number: {type: text, examples: ["5001", "5002", "5003"]}
      client: {type: text, references: clients}
      a: {type: text, examples: [Ada Stone]}
      b: {type: json, references: {owner: agents, clients: clients}, examples: [{owner: 1, clients: [], z: 1}]}
      state: {type: text, examples: [open, null]}
      opened: {type: timestamp, examples: ["2026-01-01T09:00:00Z"]}
      due: {type: timestamp, examples: ["2026-01-08T09:00:00Z"]}
      closed: {type: timestamp, examples: [null, "2026-01-05T09:00:00Z"]}
  - name: bills
    endpoint: {path: /bills}
    columns:
      id: {type: bigint, nullable: false}
      job: {type: bigint, references: jobs}
      job_number: {type: text, references: jobs.number}
      client: {type: text, references: clients}
"""
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder: Path = tmp_path_factory.mktemp("told")
    (folder / "systems").mkdir()
    (folder / "systems" / "shop.yaml").write_text(SYSTEM)
    (folder / "connections.yaml").write_text(
        yaml.safe_dump({"systems": "systems", "connections": [{"name": "shop", "system": "shop"}]})
    )
    sandbox = FaultySandbox(load_connections(folder / "connections.yaml"), start=START, today=TODAY)
    return {name: sandbox.rows("shop", name) for name in ("agents", "clients", "jobs", "bills")}


def test_every_row_puts_its_own_person_in_the_place_of_the_example(rows: Rows) -> None:
    assert len({row["a"] for row in rows["clients"]}) > 50
    for row in rows["clients"]:
        (entry,) = row["b"]
        assert entry["x"].startswith(row["a"] + " ")
        assert row["c"] is None or entry["x"].endswith(f"<{row['c']}>")
        assert entry["y"][0] in ("US", "DE", "GB", "FR")
        assert entry["y"][1] == 1


def test_references_lead_to_rows_about_the_same_person(rows: Rows) -> None:
    clients = {row["id"]: row for row in rows["clients"]}
    jobs = {row["id"]: row for row in rows["jobs"]}
    for row in rows["jobs"]:
        assert row["a"].startswith(clients[row["client"]]["a"])
        assert row["b"]["clients"] == [row["client"]]
    billed = [row for row in rows["bills"] if row["job"]]
    assert len(billed) > 20
    assert all(jobs[row["job"]]["client"] == row["client"] for row in billed)
    numbers = {row["number"] for row in rows["jobs"]}
    assert {row["job_number"] for row in rows["bills"]} - {None} <= numbers


def test_a_row_is_looked_after_by_the_user_it_refers_to(rows: Rows) -> None:
    agents = {row["id"]: row["a"] for row in rows["agents"]}
    assert all(agents[row["agent"]] == row["helper"] for row in rows["clients"])
    assert {row["b"]["owner"] for row in rows["jobs"]} <= set(agents)


def test_numbers_that_follow_one_another_are_continued(rows: Rows) -> None:
    assert [row["number"] for row in rows["jobs"]] == [str(5001 + index) for index in range(len(rows["jobs"]))]
    assert rows["clients"][2]["id"] == "9-clients"


def test_dates_keep_their_distance_and_what_is_to_come_has_no_date_yet(rows: Rows) -> None:
    for row in rows["jobs"]:
        assert timedelta(days=2) <= row["due"] - row["opened"] <= timedelta(days=10)
        assert row["closed"] is None or row["opened"] < row["closed"] < row["due"]
        assert row["closed"] is None or row["closed"].date() <= TODAY
    assert {row["closed"] is None for row in rows["jobs"]} == {True, False}
    assert {row["state"] for row in rows["jobs"]} == {"open", None}


def test_examples_are_retold_by_whole_words() -> None:
    words = person(3) | colleague(1)
    assert retold("Ada, Adam and Stonehenge", words) == f"{words['Ada']}, Adam and Stonehenge"
    assert retold("https://www.stone.example/x", words) == "https://www.stone.example/x"
    assert retold("https://stone.example/x", words) == f"https://{words['stone.example']}/x"
    assert retold({"a": ["Cora", 1, None]}, words) == {"a": [words["Cora"], 1, None]}
    assert not groups_in(["Northwind", {"a": "USD"}, 5])
    assert groups_in(["Northwind", {"a": "for Cora"}, "US"]) == {"colleague", "place"}


def test_people_are_the_same_whatever_was_asked_for_before() -> None:
    before = person(17)
    person.cache_clear()
    person(4)
    assert person(17) == before
    assert before["ada@stone.example"].endswith(f"@{before['stone.example']}")
    assert before["ada@stone.example"].isascii()
