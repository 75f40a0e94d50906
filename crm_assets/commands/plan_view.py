"""A plan as tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from typing_extensions import assert_never

from crm_assets.commands.plan import Basis, Plan


def render_plans(plans: Iterable[Plan]) -> RenderableType:
    """Return a table per connection, and its totals."""
    parts: list[RenderableType] = []
    for one in plans:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading in ("resource", "mode", "asks for"):
            table.add_column(heading)
        table.add_column("requests", justify="right", no_wrap=True)
        for line in one.lines:
            table.add_row(line.resource, line.mode, Text(line.asks), _request_count(line.requests, line.basis))
        parts += [Text(one.connection, "bold"), table, Text(_total(one)), Text()]
    return Group(*parts[:-1])


def _request_count(requests: int, basis: Basis) -> str:
    match basis:
        case "earlier reads":
            return f"{requests:,}"
        case "first page":
            return f"about {requests:,}"
        case "least":
            return f"at least {requests:,}"
        case _:
            assert_never(basis)


def _total(plan: Plan) -> str:
    count = f"{_request_count(plan.requests, plan.basis)} request{'' if plan.requests == 1 else 's'}"
    unread = "; how many more, and how long they take, shows at the first read" if plan.basis == "least" else ""
    if plan.limit is None or plan.seconds is None:
        pace = (
            f"; {_rough_duration(plan.requests * plan.pace)} one after another, at {plan.pace:.2f} s each"
            if plan.pace
            else ""
        )
        return f"{count}; no rate limit is known{pace}{unread}"
    rate = f"at {plan.limit.requests} a {plan.limit.per}"
    if plan.basis != "least":
        about = "about " if plan.basis == "first page" else ""
        return f"{count}; {about}{_rough_duration(plan.seconds)} {rate}"
    # A handful of requests that are all anybody knows of says nothing about the time.
    least = f"at least {_rough_duration(plan.seconds)} {rate}" if plan.seconds >= 1 else rate
    return f"{count}; {least}{unread}"


def _rough_duration(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else "less than a second"
