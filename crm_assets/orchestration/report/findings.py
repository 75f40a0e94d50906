"""Findings: what does not pass, by connection and check, with the tables that say the same as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crm_assets.orchestration.checks import CHECKS
from crm_assets.orchestration.report import elsewhere, runs
from crm_assets.orchestration.report.model import STATES, CheckHistory, CheckState, Report, TableReport

_REMEDIES = {name: check.remedy for name, check in CHECKS.items()} | {
    runs.CHECK_NAME: runs.REMEDY,
    elsewhere.CHECK_NAME: elsewhere.REMEDY,
}
_TABLES_NAMED = 3
"""Most tables that a selection names one by one."""

_REASON = "completeness"
"""The check that says why a table was not loaded; that the table does not exist follows from it."""


@dataclass(frozen=True)
class Case:
    """What one or several tables say."""

    check: CheckHistory
    """That of the first table; the sentences of the others are the same."""
    tables: tuple[TableReport, ...]


@dataclass(frozen=True)
class Finding:
    """A check of a connection's tables that did not pass."""

    connection: str
    name: str
    state: CheckState
    cases: tuple[Case, ...]

    @property
    def tables(self) -> list[TableReport]:
        """All tables concerned."""
        return [table for case in self.cases for table in case.tables]

    @property
    def remedy(self) -> str:
        """What to do; commands stand between backticks."""
        return _REMEDIES[self.name].format(connection=self.connection, selection=self._selection)

    @property
    def _selection(self) -> str:
        keys = [table.key for table in self.tables]
        several = f"{keys[0].rpartition('/')[0]}/*"
        return " or ".join(f'key:"{key}"' for key in (keys if len(keys) <= _TABLES_NAMED else [several]))


def findings(report: Report) -> list[Finding]:
    """Return what failed or warned, those that failed first, then in the order of the tables."""
    all_findings = [finding for tables in report.by_connection.values() for finding in _of_connection(tables)]
    return sorted(all_findings, key=lambda one: STATES.index(one.state))


def _of_connection(tables: Iterable[TableReport]) -> Iterator[Finding]:
    amiss: dict[tuple[str, CheckState], list[tuple[TableReport, CheckHistory]]] = {}
    for table in tables:
        for check in _not_passed(table):
            amiss.setdefault((check.name, check.state), []).append((table, check))
    for (name, state), members in amiss.items():
        yield Finding(members[0][0].connection, name, state, tuple(_cases(members)))


def _not_passed(table: TableReport) -> list[CheckHistory]:
    """Return the checks that did not pass; of a table that was never loaded the one that says why, if there is one."""
    checks = [check for check in table.checks if check.state in ("failed", "warned")]
    reasons = [check for check in checks if check.name == _REASON]
    return reasons if reasons and table.materialized_at is None else checks


def _cases(members: Iterable[tuple[TableReport, CheckHistory]]) -> Iterator[Case]:
    """Yield a case for each sentence, whatever table it names."""
    alike: dict[str, list[tuple[TableReport, CheckHistory]]] = {}
    for table, check in members:
        alike.setdefault(check.sentence.replace(table.name, table.connection), []).append((table, check))
    for same in alike.values():
        yield Case(same[0][1], tuple(table for table, _ in same))
