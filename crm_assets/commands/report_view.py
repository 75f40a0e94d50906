"""The report as a file: Markdown and HTML for people, JSON for programs."""

from __future__ import annotations

import html
import json
from dataclasses import asdict
from datetime import timezone
from typing import Literal, TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from typing_extensions import assert_never

from crm_assets.commands.report import Asset, Check, Report, State

Format: TypeAlias = Literal["markdown", "json", "html"]
_MOMENT = "%Y-%m-%d %H:%M"


def render(report: Report, form: Format) -> str:
    """Return the report as the text of a file; HTML needs nothing beside itself."""
    match form:
        case "json":
            return _json(report)
        case "markdown":
            return _filled("report.md", report)
        case "html":
            return _filled("report.html", report)
        case _:
            assert_never(form)


def _json(report: Report) -> str:
    document = {"at": report.at, "checks": dict(report.states), "assets": [asdict(asset) for asset in report.assets]}
    return json.dumps(document, indent=2, ensure_ascii=False, default=lambda moment: moment.isoformat()) + "\n"


def _filled(template: str, report: Report) -> str:
    environment = Environment(
        loader=PackageLoader("crm_assets.commands"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "loaded": _loaded,
        "numbers": _numbers,
        "evaluated": _evaluated,
        "emphasized": _emphasized,
        "in_cell": _in_cell,
    }
    return environment.get_template(template).render(
        summary=_summary(report), not_passed=_not_passed(report), connections=_by_connection(report)
    )


def _summary(report: Report) -> str:
    states: tuple[State, ...] = ("failed", "warned", "passed", "not evaluated")
    counts = [f"{report.states[state]} {state}" for state in states if report.states[state]]
    loaded = sum(asset.materialized_at is not None for asset in report.assets)
    return (
        f"{loaded} of {len(report.assets)} assets materialized; checks: {', '.join(counts) or 'none'}. "
        f"All times are UTC; this report is of {report.at.astimezone(timezone.utc):{_MOMENT}}."
    )


def _not_passed(report: Report) -> list[tuple[str, Check]]:
    """Return the checks to look at, those that failed first."""
    checks = [(f"{asset.connection}.{asset.resource}", check) for asset in report.assets for check in asset.checks]
    return [(name, check) for state in ("failed", "warned") for name, check in checks if check.state == state]


def _by_connection(report: Report) -> dict[str, list[Asset]]:
    assets: dict[str, list[Asset]] = {}
    for asset in report.assets:
        assets.setdefault(asset.connection, []).append(asset)
    return assets


def _loaded(asset: Asset) -> str:
    if asset.materialized_at is None:
        return "never materialized"
    counts = [] if asset.rows is None else [f"{asset.rows:,} rows"]
    counts += [] if asset.loaded is None else [f"{asset.loaded:,} loaded"]
    return ", ".join([*counts, f"{asset.materialized_at:{_MOMENT}}", f"run {asset.run_id[:8]}"])


def _numbers(check: Check) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in (check.numbers or {}).items() if value)


def _evaluated(check: Check) -> str:
    return f"{check.at:{_MOMENT}}, run {check.run_id[:8]}" if check.at else ""


def _emphasized(check: Check) -> str:
    return check.state if check.state in ("passed", "not evaluated") else f"**{check.state}**"


def _in_cell(text: str) -> str:
    """Return text that came from elsewhere for a cell of a Markdown table."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")
