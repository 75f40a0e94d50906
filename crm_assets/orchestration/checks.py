"""Asset checks: is the table what was declared, are its keys keys, and did the last read see everything?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from itertools import islice
from typing import Any

import dagster as dg

from crm_assets.declarations.connections import Connection
from crm_assets.declarations.models.system import Resource
from crm_assets.extract.decode.duckdb_types import quoted
from crm_assets.orchestration.freshness import current_reads_sql, last_current_read, tolerance_of
from crm_assets.warehouse import read_log
from crm_assets.warehouse.dlt_schema import dlt_columns
from crm_assets.warehouse.session import WarehouseSession

OFFENDERS = 20
DESCRIPTIONS = {
    "schema": "The table has the declared columns, types and nullability, and nothing else came along.",
    "primary_key": "Every row has a primary key, no two rows have the same, and the last read saw none twice.",
    "completeness": "The last read saw the end of its list, and every parent.",
    "freshness": "The last complete read of current data is no older than the schedule allows.",
}
_BLOCKING = ("primary_key", "completeness")


def check_specs(connection: Connection, resource: Resource) -> list[dg.AssetCheckSpec]:
    """Return the specs of a resource's checks."""
    return [
        dg.AssetCheckSpec(name, asset=[connection.name, resource.name], description=text, blocking=name in _BLOCKING)
        for name, text in DESCRIPTIONS.items()
    ]


def evaluate(session: WarehouseSession, connection: Connection, resource: Resource, name: str) -> dg.AssetCheckResult:
    """Evaluate one check against the warehouse."""
    checks = {"schema": schema_check, "primary_key": primary_key_check, "completeness": completeness_check}
    late = name == "freshness"
    finding = freshness_check(session, connection, resource) if late else checks[name](session, resource)
    return dg.AssetCheckResult(
        asset_key=[connection.name, resource.name],
        check_name=name,
        passed=not finding.problems and not finding.warnings,
        severity=dg.AssetCheckSeverity.ERROR if finding.problems else dg.AssetCheckSeverity.WARN,
        description=finding.sentence(),
        metadata=finding.metadata,
    )


class Finding:
    """What a check found: problems (data is wrong), warnings (data is unexpected), and the numbers."""

    def __init__(self, fine: str, sql: str) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.metadata: dict[str, Any] = {"sql": dg.MetadataValue.md(f"```sql\n{sql}\n```")}
        self._fine = fine

    def sentence(self) -> str:
        """Return the check's one sentence."""
        found = [*self.problems, *self.warnings]
        return (found[0][:1].upper() + "; ".join(found)[1:] + ".") if found else self._fine

    def offenders(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add a bounded table of offending rows."""
        records = [dg.TableRecord({key: _cell(value) for key, value in row.items()}) for row in islice(rows, OFFENDERS)]
        if records:
            self.metadata["offenders"] = dg.MetadataValue.table(records)


def _cell(value: Any) -> str | int | float | bool | None:
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


def schema_check(session: WarehouseSession, resource: Resource) -> Finding:
    """Compare the declared columns with the warehouse's own catalogue, and look at what did not fit."""
    sql = (
        f"SELECT column_name, data_type, is_nullable FROM information_schema.columns\n"
        f"WHERE table_schema = '{session.dataset}' AND table_name = '{resource.name}'"
    )
    found, declared = session.columns(resource.name), dlt_columns(resource)
    finding = Finding(f"All {len(declared)} columns are as declared.", sql)
    finding.metadata |= {"columns_declared": len(declared), "columns_found": len(found)}
    if not found:
        finding.problems.append("the table does not exist yet; materialize the asset")
        return finding
    differences = [*_differences(session, declared, found)]
    misfits, unknown = _kept(session, resource, "_misfits"), _kept(session, resource, "_extra")
    finding.problems += [row["difference"] for row in differences if row["severity"] == "ERROR"]
    finding.warnings += [row["difference"] for row in differences if row["severity"] == "WARN"]
    if misfits:
        finding.warnings.append(f"values did not fit their type in {_counted(misfits)} (kept in _misfits)")
    if unknown:
        finding.warnings.append(f"undeclared fields came along: {_counted(unknown)} (kept in _extra)")
    finding.metadata |= {
        "missing": sum(row["kind"] == "missing" for row in differences),
        "extra": sum(row["kind"] == "extra" for row in differences),
        "type_differs": sum(row["kind"] == "type" for row in differences),
        "nullability_differs": sum(row["kind"] == "nullability" for row in differences),
        "rows_with_misfits": sum(misfits.values()),
        "rows_with_unknown_fields": sum(unknown.values()),
    }
    kept = [{"column": c, "kind": "misfit", "difference": f"{n} values"} for c, n in misfits.items()]
    kept += [{"column": c, "kind": "unknown field", "difference": f"{n} records"} for c, n in unknown.items()]
    finding.offenders([{k: row[k] for k in ("column", "kind", "difference")} for row in [*differences, *kept]])
    return finding


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


def _counted(counts: dict[str, int]) -> str:
    names = [f"{name} ({count})" for name, count in list(counts.items())[:5]]
    return ", ".join(names) + (f" and {len(counts) - 5} more" if len(counts) > 5 else "")


def _many(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def primary_key_check(session: WarehouseSession, resource: Resource) -> Finding:
    """Look for rows without a key and rows with the same key, in the table and in the last read."""
    key = ", ".join(quoted(name) for name in resource.primary_key)
    nulls = " OR ".join(f"{quoted(name)} IS NULL" for name in resource.primary_key)
    sql = (
        f"SELECT {key}, count(*) AS times FROM {session.table(resource.name)} WHERE NOT ({nulls})\n"
        f"GROUP BY {key} HAVING count(*) > 1 ORDER BY times DESC LIMIT {OFFENDERS}"
    )
    finding = Finding(f"Every row has its own {' + '.join(resource.primary_key)}.", sql)
    if not session.columns(resource.name):
        finding.problems.append("the table does not exist yet; materialize the asset")
        return finding
    ((rows, without),) = session.query(
        f"SELECT count(*), count(CASE WHEN {nulls} THEN 1 END) FROM {session.table(resource.name)}"
    )
    doubles = session.query(sql)
    last = read_log.last_read(session, resource.name)
    rejected, seen_twice = (last.rejected, last.duplicates) if last else (0, 0)
    if without:
        finding.problems.append(_many(without, "row has", "rows have") + " no key")
    if doubles:
        atleast = "at least " if len(doubles) == OFFENDERS else ""
        finding.problems.append(atleast + _many(len(doubles), "key stands", "keys stand") + " on several rows")
    if rejected:
        finding.problems.append(
            _many(rejected, "record", "records") + f" came without a key (kept in {resource.name}__rejected)"
        )
    if seen_twice:
        seen = _many(seen_twice, "record", "records")
        finding.warnings.append(f"the last read saw {seen} twice (the newest was kept)")
    finding.metadata |= {
        "rows": rows,
        "null_keys": without,
        "duplicate_keys": len(doubles),
        "rejected_records": rejected,
        "duplicates_in_read": seen_twice,
    }
    names = [*resource.primary_key, "times"]
    finding.offenders(
        [dict(zip(names, row, strict=True)) for row in doubles] or (last.details["duplicate_keys"] if last else [])
    )
    return finding


def completeness_check(session: WarehouseSession, resource: Resource) -> Finding:
    """Look at the proof of the last read."""
    last = read_log.last_read(session, resource.name)
    sql = read_log.last_read_sql(
        session, resource.name, ["complete", "reason", "rows", "pages", "requests", "finished_at"]
    )
    finding = Finding("", sql)
    if last is None:
        finding.problems.append("it was never read; materialize the asset")
        return finding
    finding._fine = f"The last read ({last.mode}) saw the end: {last.reason}; {last.rows} rows from {last.pages} pages."
    if not last.complete:
        finding.problems.append(f"the last read is short and was not loaded: {last.reason}")
    if last.details["skipped"]:
        skipped = _many(len(last.details["skipped"]), "list was", "lists were")
        finding.warnings.append(f"{skipped} skipped: {last.details['skipped'][0]}")
    if last.strays:
        finding.warnings.append(
            _many(last.strays, "row lies", "rows lie") + " outside the days asked for; set the connection's timezone"
        )
    if last.delete_refused:
        finding.warnings.append(
            _many(last.delete_refused, "row", "rows")
            + " vanished at the source, more than max_delete_fraction allows; none was marked"
        )
    finding.metadata |= {
        "rows": last.rows,
        "pages": last.pages,
        "requests": last.requests,
        "skipped_lists": len(last.details["skipped"]),
        "vanished_rows_not_marked": last.delete_refused,
        "read_finished_at": dg.MetadataValue.timestamp(last.finished_at),
        "run": last.run_id,
    }
    finding.offenders([{"skipped": text} for text in last.details["skipped"]])
    return finding


def freshness_check(session: WarehouseSession, connection: Connection, resource: Resource) -> Finding:
    """Look at when current data was last read completely; being late is a warning, the data may still be right."""
    tolerance = tolerance_of(connection, resource)
    read, now = last_current_read(session, connection, resource), datetime.now(timezone.utc)
    finding = Finding("", current_reads_sql(session, resource.name))
    finding.metadata["hours_allowed"] = round(tolerance.late.total_seconds() / 3600, 2)
    if read is None:
        what = "of the current days was" if resource.window else "was"
        finding.warnings.append(f"no complete read {what} made yet; materialize the asset")
        return finding
    hours = (now - read).total_seconds() / 3600
    finding.metadata |= {"hours": round(hours, 2), "read_finished_at": dg.MetadataValue.timestamp(read)}
    finding._fine = f"Current data was read {hours:.1f} hours ago; the schedule allows {tolerance.late}."
    if now - read > tolerance.late:
        finding.warnings.append(
            f"current data was last read {hours:.1f} hours ago; the schedule allows {tolerance.late}"
        )
    return finding
