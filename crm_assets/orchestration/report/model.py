"""What a report consists of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from crm_assets.warehouse.read_series import Change, Reading

CheckState: TypeAlias = Literal["failed", "warned", "passed", "not evaluated"]
STATES: tuple[CheckState, ...] = ("failed", "warned", "not evaluated", "passed")
"""The worst first."""


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a check."""

    state: CheckState
    at: datetime
    run_id: str


@dataclass(frozen=True)
class CheckHistory:
    """A check of one table: its last evaluation, and the states of those before it."""

    name: str
    state: CheckState
    sentence: str = ""
    numbers: Mapping[str, float] | None = None
    at: datetime | None = None
    run_id: str = ""
    since: datetime | None = None
    """The first evaluation, of those in ``history``, since which it has not passed."""
    offenders: tuple[Mapping[str, Any], ...] = ()
    """Some of the rows concerned, personal data masked."""
    history: tuple[Evaluation, ...] = ()
    """The last evaluations, the latest last."""

    @property
    def is_older(self) -> bool:
        """Whether it may have stopped passing before ``since``: the history goes back no further."""
        return bool(self.history) and self.since == self.history[0].at


@dataclass(frozen=True)
class TableReport:
    """One table: its last load, its checks, its last reads."""

    connection: str
    resource: str
    key: str
    """The asset's key as a selection names it."""
    materialized_at: datetime | None
    run_id: str
    rows: int | None
    """Rows in the table."""
    loaded: int | None
    """Rows the last read brought."""
    checks: tuple[CheckHistory, ...]
    reads: tuple[Reading, ...] = ()
    """The last reads, the latest last."""
    changes: Change = field(default_factory=Change)
    """What reads changed since the last report."""

    @property
    def name(self) -> str:
        """Its name in the warehouse."""
        return f"{self.connection}.{self.resource}"

    @property
    def state(self) -> CheckState:
        """The worst state of its checks."""
        states = {check.state for check in self.checks}
        return next((state for state in STATES if state in states), "not evaluated")


@dataclass(frozen=True)
class Report:
    """All tables of some connections."""

    at: datetime
    tables: tuple[TableReport, ...]
    since: datetime | None = None
    """The time of the report before, from which changes are counted; ``None`` counts everything."""
    unread: str = ""
    """Why the numbers of reads are missing, if they are."""

    @property
    def states(self) -> Counter[CheckState]:
        """How many checks are in which state."""
        return Counter(check.state for table in self.tables for check in table.checks)

    @property
    def healthy(self) -> bool:
        """Whether no check failed; warnings and what was never read do not count."""
        return not self.states["failed"]

    @property
    def by_connection(self) -> dict[str, list[TableReport]]:
        """The tables of each connection."""
        tables: dict[str, list[TableReport]] = {}
        for table in self.tables:
            tables.setdefault(table.connection, []).append(table)
        return tables


def total_change(tables: Iterable[TableReport]) -> Change:
    """Return what reads changed in several tables."""
    return sum((table.changes for table in tables), Change())
