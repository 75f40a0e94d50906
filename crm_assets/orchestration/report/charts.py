"""Charts small enough for a table's cell: where their lines and marks lie. The page's template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crm_assets.orchestration.report.model import CheckState, Evaluation

WIDTH, HEIGHT, _EDGE = 96, 22, 2
"""Size of a line, in CSS pixels."""
STEP, _LOW, _HIGH = 6, 8, 16
"""Width of a mark with its gap, and the heights of marks that passed and that did not."""


@dataclass(frozen=True)
class Sparkline:
    """A line of values, from the oldest to the latest."""

    points: tuple[tuple[float, float], ...]
    text: str
    """For readers who do not see the line."""


@dataclass(frozen=True)
class Mark:
    """One evaluation in a history."""

    state: CheckState
    x: int
    y: int
    height: int


def sparkline(values: Sequence[float], what: str) -> Sparkline | None:
    """Return the line of some values in the order of time; ``None`` without values.

    Args:
        values: What is drawn.
        what: What they are.
    """
    if not values:
        return None
    low, high = min(values), max(values)
    step = (WIDTH - 2 * _EDGE) / max(len(values) - 1, 1)
    scale = (HEIGHT - 2 * _EDGE) / (high - low) if high > low else 0
    points = tuple(
        (
            round(_EDGE + step * number, 1),
            round(HEIGHT - _EDGE - (value - low) * scale, 1) if scale else HEIGHT / 2,
        )
        for number, value in enumerate(values)
    )
    reads = f"{len(values)} reads" if len(values) > 1 else "one read"
    return Sparkline(points, f"{what}, {reads}: {low:,.10g} to {high:,.10g}, last {values[-1]:,.10g}")


def marks(history: Sequence[Evaluation]) -> list[Mark]:
    """Return a mark for each evaluation, the latest on the right; marks that did not pass are taller."""
    heights = [_LOW if one.state == "passed" else _HIGH for one in history]
    return [
        Mark(one.state, number * STEP, HEIGHT - _EDGE - height, height)
        for number, (one, height) in enumerate(zip(history, heights, strict=True))
    ]
