"""The report as a file: HTML and Markdown for people, JSON for programs."""

from __future__ import annotations

import html
import json
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any, Literal, TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from typing_extensions import assert_never

from crm_assets.orchestration.report import charts
from crm_assets.orchestration.report.findings import findings
from crm_assets.orchestration.report.model import STATES, Report, TableReport, total_change
from crm_assets.warehouse.read_series import Change

Format: TypeAlias = Literal["markdown", "json", "html"]


def render_report(report: Report, form: Format) -> str:
    """Return the report as the text of a file; HTML needs nothing beside itself."""
    match form:
        case "json":
            return _report_json(report)
        case "markdown":
            return _fill_template("report.md", report)
        case "html":
            return _fill_template("report.html", report)
        case _:
            assert_never(form)


def summary(report: Report) -> str:
    """Return the state of all tables as one sentence."""
    states = report.states
    counts = [f"{states[state]} {state}" for state in STATES if states[state]]
    loaded = sum(table.materialized_at is not None for table in report.tables)
    return f"{loaded} of {len(report.tables)} tables loaded; checks: {', '.join(counts) or 'none'}."


def _report_json(report: Report) -> str:
    document = {
        "at": report.at,
        "since": report.since,
        "healthy": report.healthy,
        "unread": report.unread,
        "checks": dict(report.states),
        "findings": [
            {"connection": finding.connection, "check": finding.name, "state": finding.state, "remedy": finding.remedy}
            | {"tables": [table.resource for table in finding.tables]}
            for finding in findings(report)
        ],
        "assets": [asdict(table) for table in report.tables],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, default=_json_value) + "\n"


def _json_value(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _fill_template(template: str, report: Report) -> str:
    environment = Environment(
        loader=PackageLoader("crm_assets.orchestration.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "moment": _moment,
        "change": _change,
        "in_cell": _in_cell,
        "rows_line": _rows_line,
        "seconds_line": _seconds_line,
        "marks": charts.marks,
        "total_change": total_change,
    }
    return environment.get_template(template).render(
        report=report, summary=summary(report), findings=findings(report), charts=charts
    )


def _moment(value: datetime | None) -> str:
    return f"{value.astimezone(timezone.utc):%Y-%m-%d %H:%M}" if value else ""


def _change(change: Change) -> str:
    """Return the counts that are not zero, such as ``+3 ~1 −2``."""
    counts = (("+", change.new), ("~", change.changed), ("−", change.deleted))
    return " ".join(f"{sign}{count:,}" for sign, count in counts if count)


def _rows_line(table: TableReport) -> charts.Sparkline | None:
    return charts.sparkline(
        [read.table_rows for read in table.reads if read.table_rows is not None], "Rows of the table"
    )


def _seconds_line(table: TableReport) -> charts.Sparkline | None:
    return charts.sparkline([round(one.seconds, 2) for one in table.reads if one.complete], "Seconds of a read")


def _in_cell(text: str) -> str:
    """Return text that came from elsewhere for a cell of a Markdown table."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")
