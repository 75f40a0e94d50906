"""How a sync looks in a terminal: progress bars while it runs, a table when it is done; plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from crm_assets.commands.sync.results import AssetResult
from crm_assets.commands.sync.sync import Listener

_QUIET = 10.0
"""Seconds between two lines of a log about what a connection waits for."""
_COUNTS = {
    "deleted": "rows_deleted",
    "vanished_not_marked": "rows_vanished_not_marked",
    "rejected": "rejected_records",
    "misfits": "misfit_values",
    "duplicates": "duplicates_in_read",
}
"""Numbers of a materialization in the summary's JSON: name there to name in the metadata."""
_MARKS = {"passed": "[green]✓[/]", "warned": "[yellow]![/]", "failed": "[red]✗[/]"}


class Bars(Listener):
    """One bar per connection on a terminal, one line per finished asset in a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: dict[tuple[str, str], tuple[int, int]] = {}
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def read(self, connection: str, resource: str, pages: int, rows: int) -> None:
        """Show how far one resource's read is."""
        self._rows[connection, resource] = pages, rows
        own = [counts for (name, _), counts in self._rows.items() if name == connection]
        state = f"{sum(rows for _, rows in own):,} rows, {sum(pages for pages, _ in own):,} pages, {resource}"
        self._progress.update(self._task(connection), state=state)

    def waiting(self, connection: str, text: str) -> None:
        """Show what a connection waits for, until its next page."""
        self._progress.update(self._task(connection), state=text)
        if not self._console.is_terminal and time.monotonic() - self._said.get(connection, -_QUIET) >= _QUIET:
            self._said[connection] = time.monotonic()
            self._console.print(f"{connection}: {text}", highlight=False, soft_wrap=True, markup=False)

    def done(self, outcome: AssetResult) -> None:
        """Show that one asset is done."""
        self._progress.update(self._task(outcome.connection), total=1, completed=1)
        if not self._console.is_terminal:
            state = f"{_rows(outcome.loaded or 0)} loaded" if outcome.materialized else "FAILED"
            self._console.print(f"{outcome.connection}.{outcome.resource}: {state}", highlight=False, soft_wrap=True)

    def _task(self, connection: str) -> TaskID:
        if connection not in self._tasks:
            self._tasks[connection] = self._progress.add_task(connection, total=None, state="")
        return self._tasks[connection]


def render(outcomes: Sequence[AssetResult], seconds: float, console: Console) -> None:
    """Print the summary: a row per asset, then what went wrong, then the totals."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("asset", overflow="fold")
    for heading in ("rows", "loaded", "deleted", "requests"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("checks")
    for outcome in outcomes:
        table.add_row(f"{outcome.connection}.{outcome.resource}", *_counts(outcome), _marks(outcome))
    console.print(table)
    for outcome in outcomes:
        for sentence in outcome.sentences:
            console.print(f"{outcome.connection}.{outcome.resource}: {sentence}", highlight=False, markup=False)
    console.print(totals(outcomes, seconds), highlight=False)


def totals(outcomes: Sequence[AssetResult], seconds: float) -> str:
    """Return the summary's last line."""
    states = [state for outcome in outcomes for state in outcome.checks.values()]
    materialized = sum(outcome.materialized for outcome in outcomes)
    passed = sum(state == "passed" for state in states)
    loaded = sum(outcome.loaded or 0 for outcome in outcomes)
    deleted = sum(int(outcome.numbers.get("rows_deleted", 0)) for outcome in outcomes)
    return (
        f"{materialized} of {len(outcomes)} assets materialized, {passed} of {len(states)} checks passed, "
        f"{_rows(loaded)} loaded{f', {deleted:,} marked as deleted' if deleted else ''} in {seconds:.1f} s"
    )


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def as_json(outcomes: Sequence[AssetResult], seconds: float) -> dict[str, object]:
    """Return the summary as plain data; ``stages`` are seconds, the longest of what ran side by side."""
    stages = {
        "fetch": max((one.numbers.get("seconds_fetch", 0.0) for one in outcomes), default=0.0),
        "load": max((one.numbers.get("seconds_load", 0.0) for one in outcomes), default=0.0),
        "checks": max((one.numbers.get("seconds_checks", 0.0) for one in outcomes), default=0.0),
    }
    assets = [
        {
            "connection": one.connection,
            "resource": one.resource,
            "materialized": one.materialized,
            "rows": one.rows,
            "loaded": one.loaded,
            "requests": one.requests,
            **{name: int(one.numbers.get(key, 0)) for name, key in _COUNTS.items()},
            "checks": one.checks,
            "sentences": one.sentences,
        }
        for one in outcomes
    ]
    return {"seconds": round(seconds, 3), "stages": stages, "assets": assets}


def _marks(outcome: AssetResult) -> str:
    """Return how many checks passed, and the names of those that did not."""
    passed = sum(state == "passed" for state in outcome.checks.values())
    others = [f"{_MARKS[state]} {name}" for name, state in outcome.checks.items() if state != "passed"]
    return " ".join([f"{passed} {_MARKS['passed']}" if passed else "", *others]).strip()


def _counts(outcome: AssetResult) -> tuple[str, str, str, str]:
    if not outcome.materialized:
        return "[red]failed[/]", "", "", ""
    deleted = int(outcome.numbers.get("rows_deleted", 0))
    return f"{outcome.rows:,}", f"{outcome.loaded:,}", f"{deleted:,}" if deleted else "", f"{outcome.requests:,}"
