"""Is the table what was declared, and did anything arrive that does not fit?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.duckdb_types import quoted
from crm_assets.orchestration.checks.report import CheckReport, counted
from crm_assets.warehouse import read_log
from crm_assets.warehouse.dlt_schema import dlt_columns
from crm_assets.warehouse.found_before import with_found_columns
from crm_assets.warehouse.session import WarehouseSession

_CHANGES_NAMED = 10
"""Changes of columns that a warning names: it stays readable in the UI's list of checks."""


def schema(session: WarehouseSession, _: Connection, resource: Resource) -> CheckReport:
    """Compare the declared columns with the warehouse's own catalogue, and look at what did not fit."""
    sql = (
        f"SELECT column_name, data_type, is_nullable FROM information_schema.columns\n"
        f"WHERE table_schema = '{session.dataset}' AND table_name = '{resource.name}'"
    )
    resource = with_found_columns(session, resource)
    existing, declared = session.columns(resource.name), dlt_columns(resource)
    report = CheckReport(f"All {len(declared)} columns are as declared.", sql)
    report.metadata |= {"columns_declared": len(declared), "columns_found": len(existing)}
    if not existing:
        report.problems.append("the table does not exist yet; materialize the asset")
        return report
    deviations = _Deviations(
        [*_column_differences(session, declared, existing)],
        _count_keys(session, resource, "_misfits"),
        _count_keys(session, resource, "_extra"),
        _absent_columns(session, resource),
    )
    report.problems += [row["difference"] for row in deviations.differences if row["severity"] == "ERROR"]
    report.warnings += deviations.warnings(_column_changes(session, resource))
    report.metadata |= deviations.counts()
    report.add_offenders(deviations.offenders())
    return report


@dataclass(frozen=True)
class _Deviations:
    """How a table deviates from its declaration."""

    differences: list[dict[str, str]]
    """Differences of the columns themselves."""
    misfits: dict[str, int]
    """Rows with a value that did not fit, by column."""
    unknown: dict[str, int]
    """Rows with an undeclared field, by field."""
    absent: dict[str, int]
    """Records of the last read, by declared column that none of them has."""

    def warnings(self, changes: list[str]) -> Iterator[str]:
        """Yield what is unexpected but not wrong.

        Args:
            changes: How columns made of undeclared fields have changed.
        """
        yield from (row["difference"] for row in self.differences if row["severity"] == "WARN")
        if self.misfits:
            yield f"values did not fit their type in {_first_counts(self.misfits)} (kept in _misfits)"
        if self.unknown:
            yield f"undeclared fields arrived: {_first_counts(self.unknown)} (kept in _extra)"
        if changes:
            yield f"fields that no column declares have changed: {'; '.join(changes)}"
        if self.absent:
            records = counted(max(self.absent.values()), "record", "records")
            yield f"declared, but in none of {records}: {', '.join(self.absent)} (check source)"

    def counts(self) -> dict[str, int]:
        """Return the numbers for the check's metadata."""
        kinds = Counter(row["kind"] for row in self.differences)
        return {
            "absent": len(self.absent),
            "missing": kinds["missing"],
            "extra": kinds["extra"],
            "type_differs": kinds["type"],
            "nullability_differs": kinds["nullability"],
            "rows_with_misfits": sum(self.misfits.values()),
            "rows_with_unknown_fields": sum(self.unknown.values()),
        }

    def offenders(self) -> Iterator[dict[str, str]]:
        """Yield one row per deviating column or field."""
        yield from ({key: row[key] for key in ("column", "kind", "difference")} for row in self.differences)
        for kind, counts, of in (
            ("misfit", self.misfits, "{} values"),
            ("unknown field", self.unknown, "{} records"),
            ("absent", self.absent, "in none of {} records"),
        ):
            for column, count in counts.items():
                yield {"column": column, "kind": kind, "difference": of.format(count)}


def _column_differences(
    session: WarehouseSession, declared: dict[str, dict[str, Any]], existing: dict[str, tuple[str, bool]]
) -> Iterable[dict[str, str]]:
    for name, hints in declared.items():
        if name not in existing:
            yield _difference(name, "missing", f"column {name} is missing")
            continue
        kind, nullable = existing[name]
        if session.type_of(kind) != hints["data_type"]:
            yield _difference(name, "type", f"column {name} is {kind}, declared {hints['data_type']}")
        if nullable != hints["nullable"]:
            yield _difference(name, "nullability", f"column {name} is {'' if nullable else 'not '}nullable")
    for name in existing:
        if name not in declared and not name.startswith("_dlt"):
            yield _difference(name, "extra", f"column {name} is not declared", "WARN")


def _difference(column: str, kind: str, text: str, severity: str = "ERROR") -> dict[str, str]:
    return {"column": column, "kind": kind, "difference": text, "severity": severity}


def _count_keys(session: WarehouseSession, resource: Resource, column: str) -> dict[str, int]:
    """Count the keys of ``_extra`` or ``_misfits`` over a bounded number of the rows that have any."""
    if column not in session.columns(resource.name):
        return {}
    rows = session.query(f"SELECT {column} FROM {session.table(resource.name)} WHERE {column} IS NOT NULL LIMIT 10000")
    counts: dict[str, int] = {}
    for (value,) in rows:
        for key in json.loads(value) if isinstance(value, str) else value:
            counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _absent_columns(session: WarehouseSession, resource: Resource) -> dict[str, int]:
    """Return the declared columns that the last read found in no record, and that no row has a value in."""
    last = read_log.last_read(session, resource.name)
    absent, undeclared = (last.details.get(key, {}) if last else {} for key in ("absent", "columns"))
    existing = [name for name in absent if name in session.columns(resource.name) and name not in undeclared]
    if not existing:
        return {}
    # the first row with a value is enough; a count would read the whole table
    filled = f"SELECT 1 FROM {session.table(resource.name)} WHERE {{}} IS NOT NULL LIMIT 1"
    return {name: absent[name] for name in existing if not session.query(filled.format(quoted(name)))}


def _column_changes(session: WarehouseSession, resource: Resource) -> list[str]:
    """Return how the columns that the last read made of undeclared fields differ from those of earlier ones."""
    last = read_log.last_read(session, resource.name)
    changes: list[str] = last.details.get("column_changes", []) if last else []
    return [
        *changes[:_CHANGES_NAMED],
        *([f"and {len(changes) - _CHANGES_NAMED} more"] if len(changes) > _CHANGES_NAMED else []),
    ]


def _first_counts(counts: dict[str, int]) -> str:
    names = [f"{name} ({count})" for name, count in list(counts.items())[:5]]
    return ", ".join(names) + (f" and {len(counts) - 5} more" if len(counts) > 5 else "")
