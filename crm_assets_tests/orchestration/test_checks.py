"""The checks: each alone, in words and numbers, red for what it is there for and for nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.checks.report import OFFENDERS, CheckReport
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.installation import START, Installation

NAMES = ("schema", "primary_key", "completeness", "freshness")
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
DAY, LATER = START.isoformat(), START.replace(day=20).isoformat()


def verdict(house: Installation, asset: str, name: str) -> tuple[bool, dg.AssetCheckSeverity, str]:
    """Evaluate one check alone and return what it says."""
    return said(house.check(asset, name)[name])


def said(found: dg.AssetCheckEvaluation) -> tuple[bool, dg.AssetCheckSeverity, str]:
    return found.passed, found.severity, str(found.description)


def facts_of(found: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {key: value.value for key, value in found.metadata.items()}


def sql_of(facts: dict[str, Any]) -> str:
    """Return the query a check tells."""
    text: str = facts["sql"]
    assert text.startswith("```sql\n")
    assert text.endswith("\n```")
    return text[7:-4]


@pytest.mark.parametrize("name", NAMES)
def test_a_check_runs_alone_and_tells_a_sentence_numbers_and_a_query(
    paging: Installation, sandbox: FaultySandbox, name: str
) -> None:
    sandbox.requests.clear()
    found = paging.check("paging/by_page", name)[name]
    assert len(sandbox.requests) == 0
    passed, _, sentence = said(found)
    facts = facts_of(found)
    assert passed
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert paging.query(sql_of(facts)) is not None
    assert "offenders" not in facts
    assert [value for value in facts.values() if isinstance(value, (int, float))]


def test_every_check_of_a_windowed_table_runs_alone(house: Build) -> None:
    here = house("visitor_analytics")
    assert here.materialize("visitor_analytics/visits", day=DAY).success
    for name in NAMES[:3]:
        assert here.check("visitor_analytics/visits", name)[name].passed


def test_what_was_never_read_is_red(house: Build) -> None:
    for found in house("paging").check("paging/by_page", *NAMES[:3]).values():
        passed, severity, sentence = said(found)
        assert (passed, severity) == (False, ERROR)
        assert "materialize the asset" in sentence


BY_HAND = {
    "missing": ("DROP VIEW by_page__current; ALTER TABLE by_page DROP COLUMN name", ERROR, "Column name is missing."),
    "type_differs": (
        "DROP VIEW by_page__current; ALTER TABLE by_page ALTER amount TYPE DOUBLE",
        ERROR,
        "Column amount is DOUBLE, declared decimal.",
    ),
    "extra": (
        "DROP VIEW by_page__current; ALTER TABLE by_page ADD COLUMN nickname VARCHAR",
        WARN,
        "Column nickname is not declared.",
    ),
    "nullability_differs": (
        "DROP VIEW by_page__current; ALTER TABLE by_page ALTER id DROP NOT NULL",
        ERROR,
        "Column id is nullable.",
    ),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_the_schema_check_sees_what_was_done_to_the_table(paging: Installation, what: str) -> None:
    statement, severity, sentence = BY_HAND[what]
    paging.change(f"USE paging; {statement}")
    found = paging.check("paging/by_page", "schema")["schema"]
    assert said(found) == (False, severity, sentence)
    facts = facts_of(found)
    counts = {name: facts[name] for name in ("missing", "extra", "type_differs", "nullability_differs")}
    assert counts == {**dict.fromkeys(counts, 0), what: 1}
    assert [record.data["difference"] for record in facts["offenders"].records] == [
        sentence[0].lower() + sentence[1:-1]
    ]


def test_a_column_that_must_not_be_null_is_seen_when_it_may(paging: Installation) -> None:
    paging.change("USE paging; DROP VIEW by_page__current; UPDATE by_page SET name = 'x' WHERE name IS NULL")
    paging.change("ALTER TABLE paging.by_page ALTER name SET NOT NULL")
    assert verdict(paging, "paging/by_page", "schema") == (False, ERROR, "Column name is not nullable.")


def test_the_schema_check_counts_misfits_and_unknown_fields(paging: Installation, sandbox: FaultySandbox) -> None:
    sandbox.faults.push(
        Fault("wrong_type", "paging", "whole", field="amount", value="priceless"),
        Fault("unknown_field", "paging", "whole", field="mood", value="good"),
    )
    assert paging.materialize("paging/whole").success
    rows = len(paging.truth("paging", "whole"))
    found = paging.check("paging/whole", "schema")["schema"]
    assert said(found) == (
        False,
        WARN,
        (
            "Values did not fit their type in amount (1) (kept in _misfits); "
            f"undeclared fields arrived: mood ({rows}) (kept in _extra)."
        ),
    )
    facts = facts_of(found)
    assert (facts["rows_with_misfits"], facts["rows_with_unknown_fields"]) == (1, rows)
    assert paging.query("SELECT DISTINCT _extra FROM paging.whole") == [{"_extra": '{"mood":"good"}'}]
    assert paging.query("SELECT _misfits FROM paging.whole WHERE _misfits IS NOT NULL") == [
        {"_misfits": '{"amount":"priceless"}'}
    ]


def test_the_primary_key_check_sees_rows_without_a_key(paging: Installation) -> None:
    paging.change(
        "USE paging; DROP VIEW by_page__current; ALTER TABLE by_page ALTER id DROP NOT NULL; "
        "INSERT INTO by_page (_read_id) VALUES ('by hand'), ('by hand')"
    )
    found = paging.check("paging/by_page", "primary_key")["primary_key"]
    assert said(found) == (
        False,
        ERROR,
        "2 rows have no key.",
    )
    assert facts_of(found)["null_keys"] == 2


def test_the_primary_key_check_sees_keys_on_several_rows_and_shows_a_few(paging: Installation) -> None:
    rows = len(paging.table("paging", "by_page"))
    assert rows > OFFENDERS
    paging.change("INSERT INTO paging.by_page SELECT * FROM paging.by_page")
    found = paging.check("paging/by_page", "primary_key")["primary_key"]
    passed, severity, sentence = said(found)
    assert (passed, severity, sentence) == (False, ERROR, f"At least {OFFENDERS} keys are on several rows.")
    facts = facts_of(found)
    assert facts["rows"] == 2 * rows
    assert [record.data["times"] for record in facts["offenders"].records] == [2] * OFFENDERS
    assert len(paging.query(sql_of(facts))) == OFFENDERS


def test_the_primary_key_check_sees_records_that_came_without_one(paging: Installation, sandbox: FaultySandbox) -> None:
    sandbox.faults.push(Fault("null_id", "paging", "whole"))
    result = paging.materialize("paging/whole")
    assert not result.success, "a red check that blocks fails the run"
    assert result.get_asset_materialization_events()
    passed, severity, sentence = verdict(paging, "paging/whole", "primary_key")
    assert (passed, severity) == (False, ERROR)
    assert (
        sentence
        == "1 record was rejected (kept in whole__rejected): the primary key id is missing, null or of the wrong type."
    )
    (kept,) = paging.query("SELECT reason, record FROM paging.whole__rejected")
    assert kept["reason"] == "the primary key id is missing, null or of the wrong type"
    assert '"id":null' in kept["record"]


def test_rejected_records_are_forgotten_when_they_come_with_a_key(paging: Installation, sandbox: FaultySandbox) -> None:
    sandbox.faults.push(Fault("null_id", "paging", "whole", times=1))
    paging.materialize("paging/whole")
    assert paging.materialize("paging/whole").success
    assert verdict(paging, "paging/whole", "primary_key") == (True, WARN, "Every row has its own id.")
    assert paging.query("SELECT * FROM paging.whole__rejected") == []


def test_the_primary_key_check_warns_of_records_seen_twice(paging: Installation, sandbox: FaultySandbox) -> None:
    sandbox.faults.push(Fault("duplicates", "paging", "by_offset", page=2))
    assert paging.materialize("paging/by_offset").success
    found = paging.check("paging/by_offset", "primary_key")["primary_key"]
    assert said(found) == (
        False,
        WARN,
        "The last read saw 1 record twice (the newest was kept).",
    )
    offenders = facts_of(found)["offenders"].records
    assert [offender.data["seen"] for offender in offenders] == [2]
    assert paging.table("paging", "by_offset") == paging.truth("paging", "by_offset")


def test_a_short_read_stays_red_until_a_whole_one(paging: Installation, sandbox: FaultySandbox) -> None:
    sandbox.faults.push(Fault("truncated", "paging", "by_link", page=2))
    assert not paging.materialize("paging/by_link").success
    for _ in range(2):
        passed, severity, sentence = verdict(paging, "paging/by_link", "completeness")
        assert (passed, severity) == (False, ERROR)
        assert sentence.startswith("The last read was not loaded: page 2: ")
    assert verdict(paging, "paging/by_page", "completeness")[0]
    sandbox.faults.clear()
    assert paging.materialize("paging/by_link").success
    assert verdict(paging, "paging/by_link", "completeness")[0]


def test_lists_that_were_skipped_are_told(house: Build, connections: dict[str, Any], sandbox: FaultySandbox) -> None:
    here = house(only(connections["leadfeeder"], "accounts", "visits"))
    accounts = here.truth("leadfeeder", "accounts")
    assert len(accounts) > 1
    sandbox.faults.push(Fault("status", "leadfeeder", "visits", parent=accounts[0]["id"], status=402))
    assert here.materialize("leadfeeder/visits", day=DAY).success
    found = here.check("leadfeeder/visits", "completeness")["completeness"]
    passed, severity, sentence = said(found)
    assert (passed, severity) == (False, WARN)
    assert sentence.startswith(f"1 list was skipped: account_id {accounts[0]['id']}, window {DAY}: page 1: ")
    facts = facts_of(found)
    assert facts["skipped_lists"] == 1
    assert len(facts["offenders"].records) == 1


def test_rows_outside_the_days_asked_for_are_told(
    house: Build, connections: dict[str, Any], sandbox: FaultySandbox
) -> None:
    here = house(only(connections["service_crm"], "appointments"))
    long_ago = (START - timedelta(days=9)).isoformat()
    stray = Fault("wrong_type", "service_crm", field="start_at", value=f"{long_ago}T09:00:00Z", times=1)
    sandbox.faults.push(stray)
    assert here.materialize("service_crm/appointments", dates=(DAY, LATER)).success
    told = verdict(here, "service_crm/appointments", "completeness")
    assert told == (False, WARN, "1 row lies outside the days asked for; set the connection's timezone.")


def test_days_read_before_the_declaration_changed_are_told(house: Build, connections: dict[str, Any]) -> None:
    days = [(START + timedelta(days=number)).isoformat() for number in range(5)]
    appointments = only(connections["service_crm"], "appointments")
    assert house(appointments).materialize("service_crm/appointments", dates=(days[0], days[4])).success
    changed = house(appointments.model_copy(update={"timezone": "Europe/Lisbon"}))
    assert changed.materialize("service_crm/appointments", day=days[1]).success
    sentence = verdict(changed, "service_crm/appointments", "completeness")[2]
    assert f"{days[0]}, {days[2]} to {days[4]} were read before the declaration changed" in sentence
    assert changed.materialize("service_crm/appointments", dates=(days[0], days[4])).success
    assert "declaration" not in verdict(changed, "service_crm/appointments", "completeness")[2]


def test_what_vanished_beyond_the_guard_is_told(paging: Installation, sandbox: FaultySandbox) -> None:
    paging.change("INSERT INTO paging.whole BY NAME SELECT 900000 + range AS id, 'old' AS _read_id FROM range(100)")
    assert paging.materialize("paging/whole").success
    found = paging.check("paging/whole", "completeness")["completeness"]
    passed, severity, sentence = said(found)
    assert (passed, severity) == (False, WARN)
    assert sentence.startswith(
        "100 rows vanished at the source, more than max_delete_fraction allows; none was marked."
    )
    assert facts_of(found)["vanished_rows_not_marked"] == 100
    assert paging.query("SELECT count(_deleted_at) AS marked FROM paging.whole") == [{"marked": 0}]


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"id": "a@b.example", "n": 2}, {"id": "•••", "n": 2}),
        ({"column": "name", "value": "Ada"}, {"column": "name", "value": "•••"}),
        ({"column": "n", "value": 3}, {"column": "n", "value": 3}),
        ({"reason": "twice", "key": "a@b.example"}, {"reason": "twice", "key": "•••"}),
    ],
)
def test_offending_rows_show_no_personal_data(row: dict[str, Any], shown: dict[str, Any]) -> None:
    columns = {"id": {"type": "text", "pii": "email"}, "name": {"type": "text", "pii": "name"}, "n": {"type": "bigint"}}
    people = Resource.model_validate(
        {"name": "people", "endpoint": {"path": "people"}, "columns": columns, "primary_key": "id"}
    )
    report = CheckReport("", "")
    report.add_offenders([row])
    (record,) = report.masked(people)["offenders"].records
    assert dict(record.data) == shown
