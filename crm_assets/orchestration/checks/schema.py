"""Is the table what was declared, and did anything arrive that does not fit?"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.duckdb_types import quoted
from crm_assets.orchestration.checks.report import CheckReport, counted
from crm_assets.warehouse import read_log
from crm_assets.warehouse.dlt_schema import dlt_columns
from crm_assets.warehouse.found_before import with_found_columns
from crm_assets.warehouse.session import WarehouseSession

_CHANGES = 10
"""Changes of columns that are named."""


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
    differences = [*_differences(session, declared, existing)]
    misfits, unknown = _kept(session, resource, "_misfits"), _kept(session, resource, "_extra")
    report.problems += [row["difference"] for row in differences if row["severity"] == "ERROR"]
    report.warnings += [row["difference"] for row in differences if row["severity"] == "WARN"]
    if misfits:
        report.warnings.append(f"values did not fit their type in {_counted(misfits)} (kept in _misfits)")
    if unknown:
        report.warnings.append(f"undeclared fields arrived: {_counted(unknown)} (kept in _extra)")
    if changes := _changes(session, resource):
        report.warnings.append(f"fields that no column declares have changed: {'; '.join(changes)}")
    absent = _absent(session, resource)
    if absent:
        records = counted(max(absent.values()), "record", "records")
        report.warnings.append(f"declared, but in none of {records}: {', '.join(absent)} (check source)")
    report.metadata |= {
        "absent": len(absent),
        "missing": sum(row["kind"] == "missing" for row in differences),
        "extra": sum(row["kind"] == "extra" for row in differences),
        "type_differs": sum(row["kind"] == "type" for row in differences),
        "nullability_differs": sum(row["kind"] == "nullability" for row in differences),
        "rows_with_misfits": sum(misfits.values()),
        "rows_with_unknown_fields": sum(unknown.values()),
    }
    kept = [{"column": c, "kind": "misfit", "difference": f"{n} values"} for c, n in misfits.items()]
    kept += [{"column": c, "kind": "unknown field", "difference": f"{n} records"} for c, n in unknown.items()]
    kept += [{"column": c, "kind": "absent", "difference": f"in none of {n} records"} for c, n in absent.items()]
    report.add_offenders([{k: row[k] for k in ("column", "kind", "difference")} for row in [*differences, *kept]])
    return report


def _differences(
    session: WarehouseSession, declared: dict[str, dict[str, Any]], found: dict[str, tuple[str, bool]]
) -> Iterable[dict[str, str]]:
    for name, hints in declared.items():
        if name not in found:
            yield _difference(name, "missing", f"column {name} is missing")
            continue
        kind, nullable = found[name]
        if session.type_of(kind) != hints["data_type"]:
            yield _difference(name, "type", f"column {name} is {kind}, declared {hints['data_type']}")
        if nullable != hints["nullable"]:
            yield _difference(name, "nullability", f"column {name} is {'' if nullable else 'not '}nullable")
    for name in found:
        if name not in declared and not name.startswith("_dlt"):
            yield _difference(name, "extra", f"column {name} is not declared", "WARN")


def _difference(column: str, kind: str, text: str, severity: str = "ERROR") -> dict[str, str]:
    return {"column": column, "kind": kind, "difference": text, "severity": severity}


def _kept(session: WarehouseSession, resource: Resource, column: str) -> dict[str, int]:
    """Count the keys of ``_extra`` or ``_misfits`` over a bounded number of the rows that have any."""
    if column not in session.columns(resource.name):
        return {}
    rows = session.query(f"SELECT {column} FROM {session.table(resource.name)} WHERE {column} IS NOT NULL LIMIT 10000")
    counts: dict[str, int] = {}
    for (value,) in rows:
        for key in json.loads(value) if isinstance(value, str) else value:
            counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _absent(session: WarehouseSession, resource: Resource) -> dict[str, int]:
    """Return the columns that the last read found in none of its records, and that no row has a value in."""
    last = read_log.last_read(session, resource.name)
    absent = last.details.get("absent", {}) if last else {}
    existing = [name for name in absent if name in session.columns(resource.name)]
    if not existing:
        return {}
    counts = ", ".join(f"count({quoted(name)})" for name in existing)
    (values,) = session.query(f"SELECT {counts} FROM {session.table(resource.name)}")
    return {name: absent[name] for name, count in zip(existing, values, strict=True) if count == 0}


def _changes(session: WarehouseSession, resource: Resource) -> list[str]:
    """Return how the columns that the last read made of undeclared fields differ from those of earlier ones."""
    last = read_log.last_read(session, resource.name)
    changes: list[str] = last.details.get("column_changes", []) if last else []
    return [*changes[:_CHANGES], *([f"and {len(changes) - _CHANGES} more"] if len(changes) > _CHANGES else [])]


def _counted(counts: dict[str, int]) -> str:
    names = [f"{name} ({count})" for name, count in list(counts.items())[:5]]
    return ", ".join(names) + (f" and {len(counts) - 5} more" if len(counts) > 5 else "")
