"""From an address to exact rows, as a person would type it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pytest
import yaml

from crm_assets.commands.discover import auth_declaration
from crm_assets.commands.discover_text import completed, text_of
from crm_assets.commands.yaml_edit import with_members
from crm_assets.declarations.loader import load_system
from crm_assets.errors import CommandError
from crm_assets.extract.discovery.look import Look
from crm_assets_tests.discovery.plain_crm import ACCOUNT, DEALS, PEOPLE, STAGES, plain_crm
from crm_assets_tests.forks import crm_assets


@dataclass(frozen=True)
class Person:
    """Somebody with a folder, an address and a key."""

    folder: Path
    url: str
    asked: list[str]
    name: str = "MYCRM"

    def types(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("CRM_", "DAGSTER"))}
        secrets = {"API_KEY": "k3y-value", "CLIENT_ID": "me", "CLIENT_SECRET": "s3cret-value"}
        environment |= {f"SOURCES__{self.name}__{name}": value for name, value in secrets.items()}
        return crm_assets(words, folder=self.folder, environment=environment)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.folder / "data" / "warehouse.duckdb"), read_only=True) as database:
            database.execute("SET timezone = 'UTC'")
            return database.execute(sql).fetchall()


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    (tmp_path / "systems").mkdir()
    with plain_crm() as (url, asked):
        yield Person(tmp_path, url, asked)


@pytest.mark.parametrize("auth", ["header:X-Auth", "oauth:/token"])
def test_what_discover_writes_is_synced_to_exact_rows(person: Person, auth: str) -> None:
    found = person.types("discover", person.url, "--auth", auth, "--name", "mycrm", "--output", "systems/mycrm.yaml")
    assert found.returncode == 3, found.stderr  # local times are doubtful until the zone is declared
    assert "In doubt: deals: " in found.stderr
    text = (person.folder / "systems" / "mycrm.yaml").read_text()
    for kept in ("k3y-value", "s3cret-value", "tok-1", "@mail.test", "Person 1"):
        assert kept not in text + found.stdout + found.stderr
    assert len(person.asked) < 40
    people, deals, account, stages = yaml.safe_load(text)["resources"]
    assert {one["verified"] for one in (people, deals, account, stages)} == {"observed"}
    assert people["incremental"]["params"] == {"updated_since": "{incremental.start_value}"}
    assert people["columns"]["contact_email"] == {"type": "text", "pii": "email", "source": "contact.email"}
    assert deals["endpoint"]["paginator"]["cursor_path"] == "deals.-1.deal_id"
    (person.folder / "connections.yaml").write_text(
        "systems: systems\nconnections:\n  - {name: mycrm, system: mycrm, timezone: Europe/Berlin}\n"
    )
    synced = person.types("sync")
    assert synced.returncode == 0, synced.stdout + synced.stderr
    assert person.rows("SELECT id, full_name, contact_email, contact_phone FROM mycrm.people ORDER BY id") == [
        (one["id"], one["fullName"], one["contact"]["email"], one["contact"]["phone"]) for one in PEOPLE
    ]
    created = datetime(2026, 3, 1, 7, 30, tzinfo=timezone.utc)
    assert person.rows("SELECT created::timestamptz FROM mycrm.deals WHERE deal_id = 'd001'") == [(created,)]
    assert person.rows("SELECT deal_id, amount, custom_fields_tier FROM mycrm.deals ORDER BY deal_id") == [
        (one["deal_id"], one["amount"], one["customFields"]["Tier"]) for one in DEALS
    ]
    assert person.rows("SELECT id, company, plan FROM mycrm.account") == [tuple(ACCOUNT.values())]
    assert person.rows("SELECT code, title FROM mycrm.stages ORDER BY code") == [tuple(one.values()) for one in STAGES]


def test_custom_fields_of_loaded_tables_become_columns(person: Person) -> None:
    (person.folder / "systems" / "mycrm.yaml").write_text(
        f"client: {{base_url: '{person.url}', auth: {{type: api_key, name: X-Auth}}}}\n"
        "resources:\n"
        "  - name: deals\n"
        "    endpoint: {path: /deals, data_selector: deals, paginator: {type: cursor, cursor_param: starting_after,\n"
        "               cursor_path: deals.-1.deal_id, end: has_more, has_more_path: has_more}}\n"
        "    primary_key: deal_id\n"
        "    columns: {deal_id: text, amount: double}\n"
    )
    before = "systems: systems\nconnections:\n  # ours\n  - name: mycrm\n    system: mycrm  # own\n\n# the end\n"
    file = person.folder / "connections.yaml"
    file.write_text(before)
    assert person.types("sync").returncode == 0
    shown = person.types("discover", "mycrm", "--update")
    assert file.read_text() == before
    assert "+        custom_fields_tier: {type: bigint, source: customFields.Tier}" in shown.stdout
    assert person.types("discover", "mycrm", "--update", "--yes").returncode == 0
    assert "system: mycrm  # own\n    columns:\n      deals:\n" in file.read_text()
    assert file.read_text().endswith("\n\n# the end\n")
    assert person.types("sync").returncode == 0
    assert person.rows("SELECT deal_id, custom_fields_tier FROM mycrm.deals ORDER BY deal_id") == [
        (one["deal_id"], one["customFields"]["Tier"]) for one in DEALS
    ]
    assert "No undeclared field has a value" in person.types("discover", "mycrm", "--update").stdout


def test_one_resource_of_an_own_file_is_completed_and_the_rest_stays(person: Person) -> None:
    systems = person.folder / "systems"
    (systems / "base.yaml").write_text(
        f"client: {{base_url: '{person.url}', auth: {{type: api_key, name: X-Auth}}}}\n"
        "resources:\n  - {name: stages, endpoint: /stages, columns: {label: {type: text, source: title}}}\n"
    )
    (systems / "mine.yaml").write_text(
        "name: mine\nextends: base\nresources:\n  - {name: account, endpoint: {path: /account}}\n"
    )
    (person.folder / "connections.yaml").write_text("systems: systems\nconnections:\n  - {name: mycrm, system: mine}\n")
    found = person.types("discover", "mycrm.stages")
    assert found.returncode == 0, found.stderr
    document = yaml.safe_load(found.stdout)
    assert document["extends"] == "base"
    account, stages = document["resources"]
    assert account == {"name": "account", "endpoint": {"path": "/account"}}
    assert stages["columns"] == {"code": {"type": "text", "nullable": False}}
    assert "path" not in stages["endpoint"]


def test_a_wrong_key_is_one_sentence_without_the_key(person: Person) -> None:
    refused = person.types("discover", person.url, "--auth", "query:key", "--path", "/people", "--name", "mycrm")
    assert refused.returncode == 1
    assert "No list of mycrm could be examined. people: the server answered 401" in refused.stderr
    assert "k3y-value" not in refused.stderr


@pytest.mark.parametrize("auth", ["", "basic:x", "header:", "oauth", "digest"])
def test_an_unknown_authentication_is_refused(auth: str) -> None:
    with pytest.raises(CommandError, match="is not known: give none, bearer, basic"):
        auth_declaration(auth)


ENTRY = """connections:
  - {name: a, system: s}
  - name: b
    system: s
    columns:
      t:
        x: {type: text}  # mine
"""
BLOCK = """connections:
- name: b
  columns:
    t:
      y: {type: bool}  # why
      x: {type: text}
    u: {z: text}
  system: s
"""
FLOW = "connections:\n- name: b\n  columns: {t: {y: text, x: {type: text}}}\n  system: s"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("connections:\n  - {name: a, system: s}\n  - {name: b, system: s}  # mine\n", ENTRY),
        (BLOCK.replace("      x: {type: text}\n", ""), BLOCK),
        (FLOW.replace(", x: {type: text}", ""), FLOW),
    ],
)
def test_an_edit_leaves_all_other_lines_as_they_are(before: str, after: str) -> None:
    assert with_members(before, "b", {"columns": {"t": {"x": {"type": "text"}}}}) == after


def test_of_a_packaged_system_only_what_differs_is_declared() -> None:
    more = Look("contacts", {"columns": {"mood": {"type": "text"}}}, records=3, pages=1)
    document = completed(load_system("sales_crm"), [Look("accounts", {"endpoint": {}}, records=3, pages=1), more])
    assert [one["name"] for one in document["resources"]] == ["contacts"]
    text = text_of("mine", completed(load_system("sales_crm"), []), [], "https://api.example.com")
    assert yaml.safe_load(text) == {"extends": "sales_crm"}
