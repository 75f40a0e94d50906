"""The checks that compare reads with each other, and with what the source says of itself."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.checks import check_specs
from crm_assets.orchestration.checks.row_count import row_count
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.installation import Installation

PAGE, WHOLE = "paging/by_page", "paging/whole"


def verdict(here: Installation, asset: str, name: str) -> tuple[bool, str]:
    found = here.check(asset, name)[name]
    assert found.passed or found.severity == dg.AssetCheckSeverity.WARN
    return found.passed, str(found.description)


def with_history(here: Installation, *counts: int) -> None:
    """Let the table ``by_page`` have had so many rows after its last reads, the latest last."""
    values = ", ".join(f"({day}, {rows})" for day, rows in enumerate(counts))
    here.change(
        "CREATE TEMP TABLE one AS FROM paging._reads WHERE resource = 'by_page' LIMIT 1;"
        "DELETE FROM paging._reads WHERE resource = 'by_page';"
        "INSERT INTO paging._reads SELECT one.* REPLACE (past.rows AS table_rows, "
        f"now() + day * INTERVAL 1 DAY AS finished_at) FROM one, (VALUES {values}) AS past(day, rows)"
    )


STEPS = {
    (100,): True,
    (100, 9_000): True,
    (100, 0): False,
    (100, 100, 119): True,
    (100, 100, 131): False,
    (100, 100, 69): False,
    (5, 5, 12): True,
    (5, 5, 0): False,
    (100, 150, 225, 340): True,
    (0, 0, 0, 5_000): False,
    (0, 0, 0): True,
}
"""Rows of a table after its reads, and whether the last step is a usual one."""


def test_a_step_is_unusual_by_the_steps_before(paging: Installation, tmp_path: Path) -> None:
    found, connection = {}, paging.connections["paging"]
    for counts in STEPS:
        with_history(paging, *counts)
        with paging.warehouse.session("paging", tmp_path, print) as session:
            found[counts] = not row_count(session, connection, connection.system.resource("by_page")).warnings
    assert found == STEPS


def test_an_unusual_step_is_told_with_what_is_usual(paging: Installation) -> None:
    with_history(paging, 1_000, 1_010, 400)
    assert verdict(paging, PAGE, "row_count") == (
        False,
        "The table went from 1,010 to 400 rows; a step of more than 202 is unusual, judging by its last 2 reads.",
    )


def test_fields_that_come_and_change_are_named_once(paging: Installation, sandbox: FaultySandbox) -> None:
    assert verdict(paging, WHOLE, "schema_change") == (True, "There is no read before to compare with.")
    sandbox.faults.push(
        Fault("wrong_type", "paging", "whole", field="amount", value="priceless"),
        Fault("unknown_field", "paging", "whole", field="mood", value="good"),
    )
    assert paging.materialize(WHOLE).success
    told = paging.check(WHOLE, "schema_change")["schema_change"]
    assert told.description == (
        "Mood is a new field that no column declares (kept in _extra); "
        "amount came with values that are not decimal (kept in _misfits)."
    )
    assert [record.data["column"] for record in told.metadata["offenders"].value.records] == ["mood", "amount"]
    assert paging.materialize(WHOLE).success
    assert verdict(paging, WHOLE, "schema_change")[0]


def test_declared_columns_are_compared_with_the_read_before(paging: Installation) -> None:
    paging.change(
        'UPDATE paging._reads SET fields = replace(replace(fields, \'"amount": "decimal"\', \'"amount": "text"\'), '
        "'\"name\"', '\"label\"') WHERE resource = 'whole'"
    )
    assert paging.materialize(WHOLE).success
    assert verdict(paging, WHOLE, "schema_change")[1] == (
        "Name is a new column (text); label is no longer a declared column; amount was text and is decimal."
    )


def test_the_sources_total_is_compared_with_the_table(paging: Installation, sandbox: FaultySandbox) -> None:
    rows = len(paging.truth("paging", "by_page"))
    assert verdict(paging, PAGE, "reconciliation") == (
        True,
        f"The source reported {rows} records, and the table had {rows} rows.",
    )
    paging.change("DELETE FROM paging.by_page")
    sandbox.faults.push(Fault("null_id", "paging", "by_page"))
    assert not paging.materialize(PAGE).success
    passed, sentence = verdict(paging, PAGE, "reconciliation")
    assert not passed
    assert sentence.startswith(f"The source reported {rows} records on ")
    assert sentence.endswith(" rejected).")


def test_totals_are_compared_only_where_a_source_reports_them(connections: dict[str, Connection]) -> None:
    found = {
        f"{name}.{resource.name}"
        for name in ("paging", "repairshopr", "sales_crm")
        for resource in connections[name].system.tables
        if "reconciliation" in {spec.name for spec in check_specs(connections[name], resource)}
    }
    assert {"paging.by_page", "repairshopr.customers", "repairshopr.tickets"} <= found
    assert not {"paging.by_offset", "repairshopr.appointments"} & found
    assert not [name for name in found if name.startswith("sales_crm")]


def test_a_log_of_before_is_nothing_to_compare_with(paging: Installation) -> None:
    for name in ("fields", "reported_total"):
        paging.change(f"ALTER TABLE paging._reads DROP COLUMN {name}")
    names = ("row_count", "schema_change", "reconciliation")
    assert all(found.passed for found in paging.check(PAGE, *names).values())
    assert paging.materialize(PAGE).success
    assert all(found.passed for found in paging.check(PAGE, *names).values())
