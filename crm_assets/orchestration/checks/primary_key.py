"""Are the keys keys, in the table and in the last read?"""

from __future__ import annotations

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.duckdb_types import quoted
from crm_assets.orchestration.checks.report import OFFENDERS, CheckReport, counted
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession


def primary_key(session: WarehouseSession, _: Connection, resource: Resource) -> CheckReport:
    """Look for rows without a key and rows with the same key, in the table and in the last read."""
    if not resource.primary_key:
        written = {"append": "every read is appended"}.get(resource.write_disposition, "each read replaces the table")
        return CheckReport(f"No key is declared: {written}, so there is none to check.", "")
    key = ", ".join(quoted(name) for name in resource.primary_key)
    nulls = " OR ".join(f"{quoted(name)} IS NULL" for name in resource.primary_key)
    sql = (
        f"SELECT {key}, count(*) AS times FROM {session.table(resource.name)} WHERE NOT ({nulls})\n"
        f"GROUP BY {key} HAVING count(*) > 1 ORDER BY times DESC LIMIT {OFFENDERS}"
    )
    report = CheckReport(f"Every row has its own {' + '.join(resource.primary_key)}.", sql)
    if not session.columns(resource.name):
        report.problems.append("the table does not exist yet; materialize the asset")
        return report
    ((rows, without),) = session.query(
        f"SELECT count(*), count(CASE WHEN {nulls} THEN 1 END) FROM {session.table(resource.name)}"
    )
    doubles = session.query(sql)
    last = read_log.last_read(session, resource.name)
    rejected, seen_twice = (last.rejected, last.duplicates) if last else (0, 0)
    if without:
        report.problems.append(counted(without, "row has", "rows have") + " no key")
    if doubles:
        at_least = "at least " if len(doubles) == OFFENDERS else ""
        report.problems.append(at_least + counted(len(doubles), "key is", "keys are") + " on several rows")
    rejects = last.details.get("rejects", []) if last else []
    if rejected:
        report.problems.append(_rejected(rejected, rejects, resource))
    if seen_twice:
        seen = counted(seen_twice, "record", "records")
        report.warnings.append(f"the last read saw {seen} twice (the newest was kept)")
    report.metadata |= {
        "rows": rows,
        "null_keys": without,
        "duplicate_keys": len(doubles),
        "rejected_records": rejected,
        "duplicates_in_read": seen_twice,
    }
    on_several_rows = [dict(zip([*resource.primary_key, "times"], row, strict=True)) for row in doubles]
    report.add_offenders(on_several_rows or rejects or (last.details["duplicate_keys"] if last else []))
    return report


def _rejected(count: int, first: list[dict[str, str]], resource: Resource) -> str:
    """Return the sentence for rejected records: how many, where they are, and the reason and keys of the first."""
    text = f"{counted(count, 'record was', 'records were')} rejected (kept in {resource.name}__rejected)"
    if not first:
        return text
    reason = first[0]["reason"]
    keys = [entry["key"] for entry in first if entry["reason"] == reason and entry["key"]]
    named = f" ({', '.join(resource.primary_key)}: {'; '.join(keys[:5])})" if keys else ""
    return f"{text}: {reason}{named}"
