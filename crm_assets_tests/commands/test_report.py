"""Report: what is wrong, since when and what to do, and what changed, as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest

from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.checks import CHECKS
from crm_assets.orchestration.keys import report_key
from crm_assets.orchestration.report.asset import FILE, report_asset
from crm_assets.orchestration.report.collect import collect
from crm_assets.orchestration.report.findings import findings
from crm_assets.orchestration.report.model import CheckHistory, CheckState, Evaluation, Report, TableReport
from crm_assets.orchestration.report.render import render_report
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.conftest import Build
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.installation import Installation

AT = datetime(2026, 11, 22, 9, 30, tzinfo=timezone.utc)
ODD = "<b>&|`"
CAMPAIGNS, PROSPECTS = "sales_engagement/campaigns", "sales_engagement/prospects"


@pytest.fixture(scope="module")
def read(
    served: tuple[FaultySandbox, str], connections: dict[str, Connection], tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Two lists of four read, one of them with an undeclared field, then short."""
    faults, chosen = served[0].faults, [connections[name] for name in ("sales_engagement", "smartreach")]
    built = Installation(*served, tmp_path_factory.mktemp("reported") / "data", chosen)
    faults.push(Fault("unknown_field", connection="sales_engagement", resource="prospects", field=ODD, value=1))
    assert built.materialize(CAMPAIGNS, PROSPECTS).success
    faults.push(Fault("truncated", connection="sales_engagement", resource="prospects"))
    assert not built.materialize(PROSPECTS).success
    served[0].reset()
    return built


def reported(read: Installation) -> Report:
    return collect(list(read.connections.values()), read.instance, read.warehouse, print, AT)


def by_name(found: Report) -> dict[str, TableReport]:
    return {table.name: table for table in found.tables}


def test_every_check_of_every_table_is_in_it_as_it_was_evaluated_last(
    read: Installation, sandbox: FaultySandbox
) -> None:
    tables = by_name(reported(read))
    assert list(tables) == [f"{one}.{name}" for one in read.connections for name in ("campaigns", "prospects")]
    states = {name: {check.name: check.state for check in table.checks} for name, table in tables.items()}
    assert set(states["sales_engagement.campaigns"].values()) == {"passed"}
    assert set(states["smartreach.prospects"].values()) == {"not evaluated"}
    prospects, rows = tables["sales_engagement.prospects"], len(sandbox.rows("sales_engagement", "prospects"))
    assert (prospects.rows, prospects.loaded, prospects.changes.new) == (rows, rows, rows)
    assert [(one.complete, one.table_rows) for one in prospects.reads] == [(True, rows), (False, None)]
    checks = {check.name: check for check in prospects.checks}
    assert (checks["completeness"].state, checks["schema"].state) == ("failed", "warned")
    assert "is not valid JSON" in checks["completeness"].sentence
    assert [one.state for one in checks["completeness"].history] == ["passed", "failed"]
    assert checks["schema"].numbers is not None
    assert checks["schema"].numbers["rows_with_unknown_fields"] == rows
    assert [ODD in str(row) for row in checks["schema"].offenders] == [True]
    assert checks["completeness"].run_id != prospects.run_id
    assert {checks["completeness"].run_id, prospects.run_id} <= {run.run_id for run in read.instance.get_runs()}


def test_the_page_tells_first_what_is_wrong_and_escapes_what_came_from_elsewhere(read: Installation) -> None:
    page = render_report(reported(read), "html")
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    assert [name for name, _ in reader.attributes if name in ("src", "href", "style")] == []
    assert "<script" not in page
    assert ODD not in page
    text = "".join(reader.text)
    assert ODD in text
    places = [text.index(part) for part in ("failed sales_engagement: completeness", "warned sales_engagement: schema")]
    assert places == sorted(places)
    assert "crm-assets sync 'key:\"sales_engagement/prospects\"'" in text
    assert text.index("1 table is as it should be") > places[1]


def test_json_holds_everything(read: Installation) -> None:
    found = reported(read)
    document = json.loads(render_report(found, "json"))
    assert (document["checks"], document["healthy"]) == (dict(found.states), False)
    assert [one["check"] for one in document["findings"]] == ["completeness", "schema"]
    for table, told in zip(found.tables, document["assets"], strict=True):
        assert (told["resource"], told["rows"]) == (table.resource, table.rows)
        assert [check["sentence"] for check in told["checks"]] == [check.sentence for check in table.checks]
        assert [check["numbers"] for check in told["checks"]] == [check.numbers for check in table.checks]


def test_markdown_tells_what_did_not_pass_before_all_else(read: Installation) -> None:
    lines = render_report(reported(read), "markdown").splitlines()
    assert lines[2].startswith("2 of 4 tables loaded; checks: 1 failed, 1 warned, ")
    assert lines[2].endswith("All times are UTC; this report is of 2026-11-22 09:30.")
    assert lines[4].startswith("- **failed** `sales_engagement` completeness: ")
    assert any(line.startswith("  - prospects: Undeclared fields arrived: &lt;b&gt;&amp;\\|` (") for line in lines)
    rows = [line for line in lines if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {6}


def test_a_run_that_fails_before_any_check_is_told(house: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    built = house("sales_engagement")
    assert built.materialize(CAMPAIGNS).success
    monkeypatch.delenv("SOURCES__SALES_ENGAGEMENT__API_KEY")
    assert not built.materialize(CAMPAIGNS).success
    (finding,) = findings(reported(built))
    assert (finding.name, finding.state) == ("last run", "failed")
    assert "SOURCES__SALES_ENGAGEMENT__API_KEY" in finding.cases[0].check.sentence


def test_a_table_that_could_never_be_read_is_one_thing_to_look_at(house: Build, sandbox: FaultySandbox) -> None:
    built = house("sales_engagement")
    sandbox.faults.push(Fault("status", connection="sales_engagement", resource="campaigns", status=403))
    assert not built.materialize(CAMPAIGNS).success
    found = reported(built)
    (finding,) = findings(found)
    assert (finding.name, found.states["failed"]) == ("completeness", 3)


def test_the_asset_writes_the_page_and_changes_are_counted_from_it(read: Installation) -> None:
    connections = list(read.connections.values())
    read.assets = [report_asset(connections, read.warehouse)]
    result = read.materialize(report_key(connections[0]).to_user_string())
    (event,) = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    assert (metadata["failed_checks"].value, metadata["warned_checks"].value) == (1, 1)
    assert "**failed** `sales_engagement` completeness" in str(metadata["report"].value)
    assert "sales_engagement: completeness" in (read.warehouse.folder / FILE).read_text(encoding="utf-8")
    found = reported(read)
    assert found.since is not None
    assert by_name(found)["sales_engagement.prospects"].changes.new == 0


def test_a_warehouse_that_cannot_be_opened_leaves_the_checks(read: Installation, tmp_path: Path) -> None:
    broken = Warehouse(tmp_path, patience=0)
    broken.database.write_bytes(b"no database")
    found = collect(list(read.connections.values()), read.instance, broken, print, AT)
    assert found.states["failed"] == 1
    assert str(broken.database) in found.unread
    assert "Rows, seconds and changes are missing" in render_report(found, "html")


def test_tables_of_another_warehouse_are_not_reported_as_this_ones(read: Installation, tmp_path: Path) -> None:
    found = collect(list(read.connections.values()), read.instance, Warehouse(tmp_path), print, AT)
    loaded = [one for one in found.tables if one.connection == "sales_engagement"]
    assert [(one.rows, one.loaded, one.state) for one in loaded] == [(None, None, "failed")] * 2
    (finding,) = findings(found)
    assert f"another warehouse than {tmp_path / 'warehouse.duckdb'}" in finding.cases[0].check.sentence
    assert 'crm-assets sync \'key:"sales_engagement/campaigns"' in finding.remedy


def test_nothing_was_ever_run(house: Build) -> None:
    found = reported(house("sales_engagement"))
    assert set(found.states) == {"not evaluated"}
    assert found.healthy
    assert "0 of 2 tables loaded; checks: " in render_report(found, "markdown")
    assert render_report(found, "html").count('<td data-of="loaded">never</td>') == 2


def evaluated(states: str) -> Iterator[Evaluation]:
    names: dict[str, CheckState] = {"p": "passed", "w": "warned", "f": "failed"}
    return (Evaluation(names[one], AT + timedelta(days=number), "r") for number, one in enumerate(states))


def table(name: str, sentence: str) -> TableReport:
    check = CheckHistory("completeness", "failed", sentence, since=AT, history=tuple(evaluated("pff")))
    return TableReport("crm", name, f"raw/crm/{name}", AT, "r", 1200, 3, (check,))


def test_tables_that_say_the_same_are_one_case_and_one_remedy() -> None:
    names = ["people", "deals", "notes", "tasks"]
    same = [table(name, f"crm.{name}: the server answered 401.") for name in names]
    (finding,) = findings(Report(AT, (*same, table("calls", "Cut short."))))
    assert [[one.resource for one in case.tables] for case in finding.cases] == [names, ["calls"]]
    assert "crm-assets sync 'key:\"raw/crm/*\"'" in finding.remedy
    (few,) = findings(Report(AT, (same[0], same[1])))
    assert '\'key:"raw/crm/people" or key:"raw/crm/deals"\'' in few.remedy


@pytest.mark.parametrize("name", [*CHECKS, "last run", "warehouse"])
def test_every_check_says_what_to_do(name: str) -> None:
    check = CheckHistory(name, "warned", "Odd.", since=AT)
    (finding,) = findings(Report(AT, (TableReport("crm", "people", "crm/people", AT, "r", 1, 1, (check,)),)))
    assert "{" not in finding.remedy


class _Reader(HTMLParser):
    """Reads a page's text, and fails on elements that are left open."""

    void = frozenset({"meta", "link", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)
