"""The report as a file: Markdown and HTML for people, JSON for programs."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timezone
from typing import Literal, TypeAlias

from crm_assets.commands.report import Asset, Check, Report, State

Format: TypeAlias = Literal["markdown", "json", "html"]
_MOMENT = "%Y-%m-%d %H:%M"


def render(report: Report, form: Format) -> str:
    """Return the report as the text of a file; HTML needs nothing beside itself."""
    renderers: dict[Format, Callable[[Report], str]] = {"markdown": _markdown, "json": _json, "html": _html}
    return renderers[form](report)


def _json(report: Report) -> str:
    document = {"at": report.at, "checks": dict(report.states), "assets": [asdict(asset) for asset in report.assets]}
    return json.dumps(document, indent=2, ensure_ascii=False, default=lambda moment: moment.isoformat()) + "\n"


def _summary(report: Report) -> str:
    states: tuple[State, ...] = ("failed", "warned", "passed", "not evaluated")
    counts = [f"{report.states[state]} {state}" for state in states if report.states[state]]
    loaded = sum(asset.materialized_at is not None for asset in report.assets)
    return (
        f"{loaded} of {len(report.assets)} assets materialized; checks: {', '.join(counts) or 'none'}. "
        f"All times are UTC; this report is of {report.at.astimezone(timezone.utc):{_MOMENT}}."
    )


def _connections(report: Report) -> dict[str, list[Asset]]:
    found: dict[str, list[Asset]] = {}
    for asset in report.assets:
        found.setdefault(asset.connection, []).append(asset)
    return found


def _loaded(asset: Asset) -> str:
    if asset.materialized_at is None:
        return "never materialized"
    counts = [] if asset.rows is None else [f"{asset.rows:,} rows"]
    counts += [] if asset.loaded is None else [f"{asset.loaded:,} loaded"]
    return ", ".join([*counts, f"{asset.materialized_at:{_MOMENT}}", f"run {asset.run_id[:8]}"])


def _told(numbers: Mapping[str, float] | None) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in (numbers or {}).items() if value)


def _when(check: Check) -> str:
    return f"{check.at:{_MOMENT}}, run {check.run_id[:8]}" if check.at else ""


def _not_passed(report: Report) -> list[tuple[str, Check]]:
    """Return the checks to look at, those that failed first."""
    found = [(f"{asset.connection}.{asset.resource}", check) for asset in report.assets for check in asset.checks]
    return [(name, check) for state in ("failed", "warned") for name, check in found if check.state == state]


def _markdown(report: Report) -> str:
    lines = ["# Asset checks", "", _summary(report), ""]
    for name, check in _not_passed(report):
        lines.append(f"- **{check.state}** `{name}` {check.name}: {_escaped(check.sentence)}")
    for connection, assets in _connections(report).items():
        lines += ["", f"## {connection}"]
        for asset in assets:
            lines += ["", f"### {asset.resource}", "", _loaded(asset), ""]
            lines += ["| check | state | finding | numbers | when |", "| --- | --- | --- | --- | --- |"]
            lines += [_markdown_row(check) for check in asset.checks]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _markdown_row(check: Check) -> str:
    state = check.state if check.state in ("passed", "not evaluated") else f"**{check.state}**"
    cells = (check.name, state, _escaped(check.sentence), _told(check.numbers), _when(check))
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def _html(report: Report) -> str:
    parts = [_HEAD, f"<h1>Asset checks</h1><p>{html.escape(_summary(report))}</p><ul>"]
    for name, check in _not_passed(report):
        said = html.escape(f"{name} {check.name}: {check.sentence}")
        parts.append(f'<li><span class="{check.state}">{check.state}</span> {said}</li>')
    parts.append("</ul>")
    for connection, assets in _connections(report).items():
        parts.append(f"<h2>{html.escape(connection)}</h2><table>{_HEADINGS}")
        parts += [_html_rows(asset) for asset in assets]
        parts.append("</table>")
    return "\n".join(parts) + "\n</main></html>\n"


def _html_rows(asset: Asset) -> str:
    name, loaded = html.escape(asset.resource), html.escape(_loaded(asset))
    rows = [f'<tbody><tr class="asset"><th>{name}</th><td colspan="4">{loaded}</td></tr>']
    for check in asset.checks:
        cells = (check.sentence, _told(check.numbers), _when(check))
        rows.append(
            f'<tr><td>{html.escape(check.name)}</td><td class="{check.state.replace(" ", "-")}">{check.state}</td>'
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            + "</tr>"
        )
    return "\n".join(rows) + "</tbody>"


_HEADINGS = (
    "<thead><tr><th>check</th><th>state</th><th>finding</th><th>numbers</th><th>evaluated (UTC)</th></tr></thead>"
)
_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Asset checks</title>
<style>
:root { color-scheme: light dark; --line: #8884; --bad: #c62828; --odd: #b26a00; --good: #2e7d32; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --odd: #ffb74d; --good: #81c784; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }
main { max-width: 75rem; margin: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); }
thead th, td:nth-child(n+4) { font-size: .85em; font-weight: normal; opacity: .75; }
.asset > * { padding-top: 1rem; opacity: 1 !important; }
td:nth-child(2):not([colspan]) { white-space: nowrap; }
.passed { color: var(--good); } .warned { color: var(--odd); font-weight: bold; }
.failed { color: var(--bad); font-weight: bold; } .not-evaluated { opacity: .6; }
</style><main>"""
