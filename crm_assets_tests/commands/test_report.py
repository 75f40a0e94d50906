"""Report: what the checks said last and what was loaded last, as a file."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from html.parser import HTMLParser

import pytest

from crm_assets.commands.report import Asset, Check, Report, report
from crm_assets.commands.report_view import render
from crm_assets_tests.conftest import Build
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.installation import Installation

AT = datetime(2026, 11, 22, 9, 30, tzinfo=timezone.utc)
ODD = "<b>&|`"


@pytest.fixture
def read(house: Build, sandbox: FaultySandbox) -> Installation:
    """Two lists of three read, one of them with an undeclared field, then short."""
    built = house("sales_engagement", "smartreach")
    sandbox.faults.push(Fault("unknown_field", connection="sales_engagement", resource="prospects", field=ODD, value=1))
    assert built.materialize("sales_engagement/campaigns", "sales_engagement/prospects").success
    sandbox.faults.push(Fault("truncated", connection="sales_engagement", resource="prospects"))
    assert not built.materialize("sales_engagement/prospects").success
    return built


def reported(read: Installation) -> Report:
    return report(read.connections.values(), read.instance, AT)


def by_name(found: Report) -> dict[str, Asset]:
    return {f"{asset.connection}.{asset.resource}": asset for asset in found.assets}


def test_every_check_of_every_asset_is_in_it_as_it_was_evaluated_last(read: Installation) -> None:
    assets = by_name(reported(read))
    assert list(assets) == [
        "sales_engagement.campaigns",
        "sales_engagement.prospects",
        "smartreach.campaigns",
        "smartreach.prospects",
    ]
    states = {name: {check.name: check.state for check in asset.checks} for name, asset in assets.items()}
    assert set(states["sales_engagement.campaigns"].values()) == {"passed"}
    assert {"schema": "warned", "primary_key": "passed", "completeness": "failed"}.items() <= states[
        "sales_engagement.prospects"
    ].items()
    assert set(states["smartreach.prospects"].values()) == {"not evaluated"}


def test_a_check_tells_its_sentence_its_numbers_and_its_run(read: Installation, sandbox: FaultySandbox) -> None:
    prospects = by_name(reported(read))["sales_engagement.prospects"]
    checks = {check.name: check for check in prospects.checks}
    rows = len(sandbox.rows("sales_engagement", "prospects"))
    assert "is not valid JSON" in checks["completeness"].sentence
    assert checks["schema"].numbers is not None
    assert checks["schema"].numbers["rows_with_unknown_fields"] == rows
    assert (prospects.rows, prospects.loaded) == (rows, rows)
    assert checks["completeness"].run_id != prospects.run_id
    assert {checks["completeness"].run_id, prospects.run_id} <= {run.run_id for run in read.instance.get_runs()}
    assert prospects.materialized_at is not None
    assert checks["completeness"].at is not None
    assert prospects.materialized_at < checks["completeness"].at


def test_json_holds_everything(read: Installation) -> None:
    found = reported(read)
    document = json.loads(render(found, "json"))
    assert document["checks"] == dict(found.states)
    assert [asset["resource"] for asset in document["assets"]] == [asset.resource for asset in found.assets]
    for asset, told in zip(found.assets, document["assets"], strict=True):
        assert told["rows"] == asset.rows
        assert [check["sentence"] for check in told["checks"]] == [check.sentence for check in asset.checks]
        assert [check["numbers"] for check in told["checks"]] == [check.numbers for check in asset.checks]


class _Reader(HTMLParser):
    """Reads a page's text, and fails on elements that are left open."""

    void = frozenset({"meta", "link", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in self.void:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_html_stands_alone_and_escapes_what_came_from_elsewhere(read: Installation) -> None:
    page = render(reported(read), "html")
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    assert [name for name, _ in reader.attributes if name in ("src", "href")] == []
    assert "<script" not in page
    cells = {row[0]: row for row in reader.rows if row[0] in ("schema", "completeness") and row[1] != "not evaluated"}
    assert cells["schema"][1] == "warned"
    assert ODD in cells["schema"][2]
    assert cells["completeness"][1] == "failed"
    assert ODD not in page


def test_markdown_tells_what_did_not_pass_before_all_else(read: Installation) -> None:
    lines = render(reported(read), "markdown").splitlines()
    assert lines[0] == "# Asset checks"
    assert lines[2].startswith("2 of 4 assets materialized; checks: 1 failed, 1 warned, ")
    assert lines[2].endswith("All times are UTC; this report is of 2026-11-22 09:30.")
    assert lines[4].startswith("- **failed** `sales_engagement.prospects` completeness: ")
    assert lines[5].startswith("- **warned** `sales_engagement.prospects` schema: ")
    rows = [line for line in lines if line.startswith("| ") and "---" not in line]
    assert {line.replace("\\|", "").count("|") for line in rows} == {6}
    assert any("&lt;b&gt;&amp;\\|" in line for line in rows)


def test_nothing_was_ever_run(house: Build) -> None:
    built = house("sales_engagement")
    found = report(built.connections.values(), built.instance, AT)
    assert set(found.states) == {"not evaluated"}
    assert "0 of 2 assets materialized; checks: " in render(found, "markdown")
    assert render(found, "html").count("never materialized") == 2
    assert json.loads(render(found, "json"))["assets"][0]["materialized_at"] is None


def test_numbers_that_are_zero_are_left_to_json() -> None:
    check = Check("schema", "passed", "Fine.", {"rows": 1200, "missing": 0}, AT, "0123456789")
    found = Report(AT, (Asset("crm", "people", AT, "0123456789", 1200, 3, (check,)),))
    assert "| schema | passed | Fine. | rows 1,200 | 2026-11-22 09:30, run 01234567 |" in render(found, "markdown")
    assert "1,200 rows, 3 loaded, 2026-11-22 09:30, run 01234567" in render(found, "html")
    assert json.loads(render(found, "json"))["assets"][0]["checks"][0]["numbers"] == {"rows": 1200, "missing": 0}
