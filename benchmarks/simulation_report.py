"""The page of the simulation: its tables and its figure in ``docs/scale.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from simulation import (
    CHANGED,
    CONNECTIONS,
    CORE_HOUR,
    CORES,
    GB_MONTH,
    NEW,
    PLANS,
    ROW_BYTES,
    ROW_CPU,
    ROW_WIRE,
    RUN_MB,
    STEP,
    YEARS,
    Day,
    changed_rows,
    daily,
    first_sync,
    is_by_address,
    rate_of,
    simulate,
    vendors,
)

DOCS = Path(__file__).parents[1] / "docs"
PAGE, FIGURE = DOCS / "scale.md", DOCS / "scale-day.svg"
BEGIN, END = "<!-- simulation: begin -->", "<!-- simulation: end -->"
VENDORS = (
    "vendor profile",
    "requests a minute",
    "counted by",
    "requests a day",
    "hours",
    "first sync: requests",
    "days",
)
DAYS = (
    "plan",
    "requests",
    "rows read",
    "not done after 24 h",
    "last done",
    "most runs at once",
    "core hours",
    "dollars",
)


def report() -> str:
    """Return the tables of the page."""
    parts = [
        table(VENDORS, _vendor_rows()),
        table(DAYS, (_day_row(simulate(plan)) for plan in PLANS)),
        table(("all five years", "", "source"), _total_rows()),
    ]
    return "\n\n".join(parts)


def table(header: tuple[str, ...], rows: Iterator[list[str]]) -> str:
    """Return a Markdown table whose first column is text."""
    lines = [f"| {' | '.join(header)} |", f"|---|{'--:|' * (len(header) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _vendor_rows() -> Iterator[list[str]]:
    """Yield what a large account of each vendor asks, as declared, and how long that takes at its limit."""
    changed = changed_rows(0)
    for name, system in vendors().items():
        day, first, rate = daily(system, changed, PLANS[0]), first_sync(system, changed), rate_of(system)
        counted = "address" if is_by_address(system) else "account" if system.rate_limit else "nobody"
        hours, days = day.requests / rate / 60, first.requests / rate / 60 / 24
        figures = [f"{day.requests:,.0f}", f"{hours:,.1f}", f"{first.requests:,.0f}", f"{days:,.1f}"]
        yield [name, f"{rate:,.0f}", counted, *figures]


def _day_row(day: Day) -> list[str]:
    requests, rows = (sum(getattr(one.work, name) for one in day.accounts) for name in ("requests", "rows"))
    last = max(one.done or 0 for one in day.accounts)
    return [
        day.plan.title,
        f"{requests / 1e6:,.1f} million",
        f"{rows / 1e6:,.0f} million",
        f"{day.unfinished:,}",
        "never" if day.unfinished else f"{last // 60:02.0f}:{last % 60:02.0f}",
        f"{max(day.running):,}",
        f"{day.cpu_hours:,.1f}",
        f"{day.plan.machines * CORES * CORE_HOUR * 24 * 30:,.0f}",
    ]


def _total_rows() -> Iterator[list[str]]:
    rows = CHANGED * NEW * 365 * YEARS
    yield ["rows", f"{rows / 1e9:,.2f} billion", "assumed: a fifth of the rows that change is new"]
    yield ["over the wire", f"{rows * ROW_WIRE / 1e12:,.1f} TB", "`results/rows_1m.json`"]
    yield ["time of a core", f"{rows * ROW_CPU / 3600:,.0f} hours", "`results/rows_1m.json`"]
    yield ["memory of a run", f"{RUN_MB:,.0f} MB, however many rows", "`results/rows_1m.json`"]
    for name, size in ROW_BYTES.items():
        dollars = rows * size / 1e9 * GB_MONTH
        yield [f"tables in {name}", f"{rows * size / 1e12:,.2f} TB, {dollars:,.0f} dollars a month", "`growth.py`"]


def figure(days: list[Day], width: int = 860, height: int = 150, left: int = 60, top: int = 34) -> str:
    """Return an SVG of the runs under way and the accounts that wait for a place, over each day."""
    box = f'viewBox="0 0 {width} {len(days) * (height + top)}" font-family="sans-serif" font-size="13"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {box}>', f'<rect width="{width}" height="100%" fill="#ffffff"/>']
    for number, day in enumerate(days):
        base, each = number * (height + top), (width - left - 10) / len(day.running)
        legend = f"{day.plan.title}: runs under way (green), accounts that wait (grey)"
        parts.append(f'<text x="{left}" y="{base + 22}" font-weight="bold">{legend}</text>')
        for step, (run, wait) in enumerate(zip(day.running, day.waiting, strict=True)):
            for many, below, color in ((run, 0, "#2f6f4f"), (wait, run, "#9aa5b1")):
                high, low = many / CONNECTIONS * (height - 20), below / CONNECTIONS * (height - 20)
                corner = f'x="{left + step * each:.1f}" y="{base + top + height - 20 - low - high:.1f}"'
                parts.append(f'<rect {corner} width="{each:.1f}" height="{high:.1f}" fill="{color}"/>')
        parts += [
            f'<text x="{left + hour * 60 / STEP * each:.0f}" y="{base + top + height - 4}">{hour}:00</text>'
            for hour in range(0, 24, 4)
        ]
    return "\n".join([*parts, "</svg>", ""])


def main(write: bool) -> None:
    """Print the tables, or write them into the page."""
    if not write:
        print(report())
        return
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{report()}\n\n{END}{rest.split(END)[1]}")
    FIGURE.write_text(figure([simulate(PLANS[0]), simulate(PLANS[-1])]))


if __name__ == "__main__":
    main("--write" in sys.argv)
