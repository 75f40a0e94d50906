"""Turn stored runs into the tables of docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import living
from catalog import CONTENDERS, FOLDER
from plot import bars
from scenarios import SCENARIOS

DOCUMENT = FOLDER.parent / "docs" / "performance.md"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
REFERENCES = ("crm_assets", "crm_assets_load")
"""The ratio's 1; without it in the runs there is no ratio."""

Runs = list[dict[str, Any]]


def machine() -> dict[str, Any]:
    """Return what a reader must know of the machine and the versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = {name: version(name) for name in ("dlt", "dagster", "duckdb", "pyarrow")}
    facts = {"cores": os.cpu_count(), "memory_gb": round(memory), "python": platform.python_version()}
    return {**facts, "system": platform.system(), "date": date.today().isoformat(), "packages": packages}  # noqa: DTZ011 - the reader's day


def table(result: dict[str, Any]) -> str:
    """Return one scenario as a Markdown section."""
    runs: dict[str, Runs] = {name: _sound(some) for name, some in result["runs"].items()}
    one = next((_middle(runs[name], _value(result)) for name in REFERENCES if runs.get(name)), None)
    lines = [f"### {result['title']}", "", _about(result), ""]
    lines += [
        "| contender | seconds | min-max | ratio | fetch s | records/s | CPU s | peak MB | requests | 429s | runs |"
    ]
    lines += ["|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for name, some in sorted(runs.items(), key=lambda item: _middle(item[1], _value(result))):
        lines.append(_row(name, some, result, one) if some else f"| {CONTENDERS[name].title} | failed |" + " |" * 9)
    return "\n".join(lines) + "\n" + _stages(runs.get("crm_assets", []))


def write_document(results: Path) -> None:
    """Write all stored results between the markers of docs/performance.md, and the plot beside it."""
    stored = [json.loads(file.read_text()) for name in SCENARIOS if (file := results / f"{name}.json").exists()]
    DOCUMENT.parent.mkdir(exist_ok=True)
    text = DOCUMENT.read_text() if DOCUMENT.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    plots = [_plot(result) for result in stored if result["name"].startswith("rows_")]
    moving = results / f"{living.NAME}.json"
    last = [living.section(json.loads(moving.read_text()))] if moving.exists() else []
    body = "\n".join([*plots, *map(table, stored), _growth(stored), *last])
    DOCUMENT.write_text(f"{head}{BEGIN}\n\n{body}\n{END}{tail}")


def _plot(result: dict[str, Any]) -> str:
    values = {
        CONTENDERS[name].title: _middle(runs, _value(result))
        for name, some in result["runs"].items()
        if (runs := _sound(some))
    }
    file = DOCUMENT.with_name(f"performance-{result['name']}.svg")
    file.write_text(bars(f"{result['title']}: seconds, whole process", values))
    return f"![{result['title']}]({file.name})\n"


def _about(result: dict[str, Any]) -> str:
    facts = result["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    compared = (
        "from the first request to the last answer" if result["measure"] == "fetch" else "whole process, exec to exit"
    )
    floor = f" Arithmetic floor: {result['floor_seconds']:.1f} s." if result["floor_seconds"] else ""
    return (
        f"Lists: {result['lists']}, of {result['rows']:,} records, {result['per_page']} a page. {facts['date']}, "
        f"{facts['cores']} cores, {facts['memory_gb']} GB, Python {facts['python']}, {versions}. "
        f"Medians; seconds and ratio are {compared}; the ratio's 1 is this project.{floor}"
    )


def _stages(runs: Runs) -> str:
    """Return the sentence on the stages our contender reports of itself, if it does."""
    told = [run["summary"]["stages"] for run in runs if "summary" in run]
    if not told:
        return ""
    parts = [f"{stage} {median(stages[stage] for stages in told):.2f} s" for stage in told[0]]
    return f"\nStages of this project, medians: {', '.join(parts)}.\n"


def _growth(stored: list[dict[str, Any]]) -> str:
    """Return how time and memory of this project grow with the number of records."""
    lines = ["### Growth", "", "| records | seconds | records/s | peak MB |", "|--:|--:|--:|--:|"]
    for result in stored:
        runs = _sound(result["runs"].get("crm_assets", []))
        if result["name"].startswith("rows_") and runs:
            wall, peak = _middle(runs, _key("wall")), _middle(runs, _key("peak_mb"))
            lines.append(f"| {result['rows']:,} | {wall:.2f} | {result['rows'] / wall:,.0f} | {peak:,.0f} |")
    return "\n".join(lines) + "\n" if len(lines) > 5 else ""


def _row(name: str, runs: Runs, result: dict[str, Any], one: float | None) -> str:
    value = _value(result)
    seconds, walls = _middle(runs, value), _middle(runs, _key("wall"))
    cells = [
        CONTENDERS[name].title,
        f"{seconds:.2f}",
        f"{min(map(value, runs)):.2f}-{max(map(value, runs)):.2f}",
        f"{seconds / one:.2f}" if one else "",
        f"{_middle(runs, _key('fetch_seconds')):.2f}",
        f"{result['rows'] * result['lists'] / walls:,.0f}",
        f"{_middle(runs, _key('cpu')):.1f}",
        f"{_middle(runs, _key('peak_mb')):,.0f}",
        f"{_middle(runs, _key('requests')):,.0f}",
        f"{_middle(runs, _key('refused')):,.0f}",
        str(len(runs)),
    ]
    return "| " + " | ".join(cells) + " |"


def _value(result: dict[str, Any]) -> Callable[[dict[str, Any]], float]:
    return _key("fetch_seconds" if result["measure"] == "fetch" else "wall")


def _key(name: str) -> Callable[[dict[str, Any]], float]:
    return lambda run: float(run.get(name, 0))


def _middle(runs: Runs, value: Callable[[dict[str, Any]], float]) -> float:
    return median(map(value, runs)) if runs else float("inf")


def _sound(runs: Runs) -> Runs:
    """Return the runs that loaded exactly what they should; the others have no time worth telling."""
    return [run for run in runs if not run["faults"]]
