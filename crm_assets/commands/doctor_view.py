"""The doctor's findings as a table in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crm_assets.commands.doctor import Diagnosis, ListState

_STYLES: dict[ListState, str] = {"ok": "green", "doubt": "yellow", "problem": "bold red", "not asked": "dim"}


def render_diagnoses(diagnoses: Iterable[Diagnosis]) -> RenderableType:
    """Return a table per connection: a line for each resource, then what it all means."""
    parts: list[RenderableType] = []
    for diagnosis in diagnoses:
        parts += [Text(diagnosis.connection, "bold"), _findings_table(diagnosis), Text()]
    return Group(*parts[:-1])


def _findings_table(diagnosis: Diagnosis) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for sentence in diagnosis.problems:
        table.add_row(Text("  problem", _STYLES["problem"]), "", Text(sentence))
    before = ""
    for finding in diagnosis.findings:
        repeated = finding.state == "problem" and finding.sentence == before
        text = Text("the same", "dim") if repeated else Text(finding.sentence)
        table.add_row(Text(f"  {finding.state}", _STYLES[finding.state]), Text(finding.resource), text)
        before = finding.sentence
    for sentence in diagnosis.advice:
        table.add_row(Text("  →", "bold"), "", Text(sentence, "bold"))
    return table
