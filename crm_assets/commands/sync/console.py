"""How a sync looks in a terminal: progress bars while it runs, a table when it is done; plain lines in a log."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from crm_assets.commands.sync.results import AssetResult
from crm_assets.commands.sync.sync import Listener

_QUIET_SECONDS = 10.0
"""Seconds between two lines of a log about what a connection waits for."""
_CHANGE_COUNTS = {
    "new": "rows_new",
    "changed": "rows_changed",
    "deleted": "rows_deleted",
    "vanished_not_marked": "rows_vanished_not_marked",
    "rejected": "rejected_records",
    "misfits": "misfit_values",
    "duplicates": "duplicates_in_read",
}
"""Numbers of a materialization in the summary's JSON: name there to name in the metadata."""
_COUNTS = ("rows", "loaded", "new", "changed", "deleted", "requests")
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
        if (
            not self._console.is_terminal
            and time.monotonic() - self._said.get(connection, -_QUIET_SECONDS) >= _QUIET_SECONDS
        ):
            self._said[connection] = time.monotonic()
            self._console.print(f"{connection}: {text}", highlight=False, soft_wrap=True, markup=False)

    def done(self, result: AssetResult) -> None:
        """Show that one asset is done."""
        self._progress.update(self._task(result.connection), total=1, completed=1)
        if not self._console.is_terminal:
            done = "materialized" if result.loaded is None else f"{_rows_text(result.loaded)} loaded"
            state = done if result.materialized else "FAILED"
            self._console.print(f"{result.connection}.{result.resource}: {state}", highlight=False, soft_wrap=True)

    def _task(self, connection: str) -> TaskID:
        if connection not in self._tasks:
            self._tasks[connection] = self._progress.add_task(connection, total=None, state="")
        return self._tasks[connection]


def print_summary(results: Sequence[AssetResult], seconds: float, console: Console) -> None:
    """Print the summary: a row per asset, then what went wrong, then the totals."""
    console.print(_table(results))
    for (connection, sentence), resources in _grouped_sentences(results).items():
        console.print(f"{connection}.{', '.join(resources)}: {sentence}", highlight=False, markup=False)
    console.print(totals(results, seconds), highlight=False)


def _table(results: Sequence[AssetResult]) -> Table:
    """Return a row per asset; numbers that none of them has have no column."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("asset", overflow="fold")
    counts = {heading: [_change_counts(result)[place] for result in results] for place, heading in enumerate(_COUNTS)}
    shown = {heading: cells for heading, cells in counts.items() if any(cells)}
    for heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("checks")
    for row, result in enumerate(results):
        cells = [column[row] for column in shown.values()]
        table.add_row(f"{result.connection}.{result.resource}", *cells, _marks(result))
    return table


def _grouped_sentences(results: Iterable[AssetResult]) -> dict[tuple[str, str], list[str]]:
    """Return the resources of which each sentence is true, by connection and sentence."""
    resources: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for sentence in dict.fromkeys([result.resumed, *result.sentences] if result.resumed else result.sentences):
            resources.setdefault((result.connection, sentence), []).append(result.resource)
    return resources


def totals(results: Sequence[AssetResult], seconds: float) -> str:
    """Return the summary's last line."""
    states = [state for result in results for state in result.checks.values()]
    materialized = sum(result.materialized for result in results)
    passed = sum(state == "passed" for state in states)
    loaded = sum(result.loaded or 0 for result in results)
    named = {"new": "rows_new", "changed": "rows_changed", "marked as deleted": "rows_deleted"}
    sums = {name: sum(int(result.numbers.get(key, 0)) for result in results) for name, key in named.items()}
    changes = ", ".join(f"{count:,} {name}" for name, count in sums.items() if count)
    return (
        f"{materialized} of {len(results)} assets materialized, {passed} of {len(states)} checks passed, "
        f"{_rows_text(loaded)} loaded{f' ({changes})' if changes else ''} in {seconds:.1f} s"
    )


def _rows_text(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def summary_json(results: Sequence[AssetResult], seconds: float) -> dict[str, object]:
    """Return the summary as plain data; ``stages`` are seconds, the longest of what ran side by side."""
    stages = {
        "fetch": max((result.numbers.get("seconds_fetch", 0.0) for result in results), default=0.0),
        "load": max((result.numbers.get("seconds_load", 0.0) for result in results), default=0.0),
        "checks": max((result.numbers.get("seconds_checks", 0.0) for result in results), default=0.0),
    }
    assets = [
        {
            "connection": result.connection,
            "resource": result.resource,
            "materialized": result.materialized,
            "rows": result.rows,
            "loaded": result.loaded,
            "requests": result.requests,
            **{name: int(result.numbers.get(key, 0)) for name, key in _CHANGE_COUNTS.items()},
            "checks": result.checks,
            "sentences": result.sentences,
        }
        for result in results
    ]
    return {"seconds": round(seconds, 3), "stages": stages, "assets": assets}


def _marks(result: AssetResult) -> str:
    """Return how many checks are in each state; what did not pass is named in the sentences below the table."""
    states = Counter(result.checks.values())
    return " ".join(f"{states[state]} {mark}" for state, mark in _MARKS.items() if states[state])


def _change_counts(result: AssetResult) -> Sequence[str]:
    """Return the numbers of a row; what changed is left empty where nothing did."""
    if not result.materialized:
        return "[red]failed[/]", "", "", "", "", ""
    changes = (int(result.numbers.get(name, 0)) for name in ("rows_new", "rows_changed", "rows_deleted"))
    return (
        _grouped(result.rows),
        _grouped(result.loaded),
        *(f"{count:,}" if count else "" for count in changes),
        _grouped(None if result.loaded is None else result.requests),
    )


def _grouped(count: int | None) -> str:
    return "" if count is None else f"{count:,}"
