"""Are the keys keys, in the table and in the last read?"""

from __future__ import annotations

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.duckdb_types import literal, quoted
from crm_assets.orchestration.checks.report import OFFENDERS, CheckReport, counted
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession


def primary_key(session: WarehouseSession, _: Connection, resource: Resource) -> CheckReport:
    """Look for rows without a key and rows with the same key, in the table and in the last read.

    Right after an incremental read only its own keys are looked for in the table, since all others were checked before:
    that takes hardly longer in a large table. A full refresh looks through the whole table again, and so does the check
    when it is run by itself.
    """
    if not resource.primary_key:
        written = {"append": "every read is appended"}.get(resource.write_disposition, "each read replaces the table")
        return CheckReport(f"No key is declared: {written}, so there is none to check.", "")
    key = ", ".join(quoted(name) for name in resource.primary_key)
    nulls = " OR ".join(f"{quoted(name)} IS NULL" for name in resource.primary_key)
    read_id, table = session.changed_by.get(resource.name), session.table(resource.name)
    among = f" AND {_is_of(read_id, table, resource)}" if read_id else ""
    sql = (
        f"SELECT {key}, count(*) AS times FROM {table} AS t WHERE NOT ({nulls}){among}\n"
        f"GROUP BY {key} HAVING count(*) > 1 ORDER BY times DESC LIMIT {OFFENDERS}"
    )
    rows_meant = "Every row that this read changed" if read_id else "Every row"
    report = CheckReport(f"{rows_meant} has its own {' + '.join(resource.primary_key)}.", sql)
    if not session.columns(resource.name):
        report.problems.append("the table does not exist yet; materialize the asset")
        return report
    ((rows, without),) = session.query(f"SELECT count(*), count(CASE WHEN {nulls} THEN 1 END) FROM {table}")
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


def _is_of(read_id: str, table: str, resource: Resource) -> str:
    """Return the condition of rows whose key a read has brought; DuckDB takes IN ten times as long."""
    same = " AND ".join(f"k.{name} = t.{name}" for name in map(quoted, resource.primary_key))
    return f"EXISTS (SELECT 1 FROM {table} AS k WHERE k._read_id = {literal(read_id)} AND {same})"


def _rejected(count: int, first: list[dict[str, str]], resource: Resource) -> str:
    """Return the sentence for rejected records: how many, where they are, and the reason and keys of the first."""
    text = f"{counted(count, 'record was', 'records were')} rejected (kept in {resource.name}__rejected)"
    if not first:
        return text
    reason = first[0]["reason"]
    keys = [entry["key"] for entry in first if entry["reason"] == reason and entry["key"]]
    named = f" ({', '.join(resource.primary_key)}: {'; '.join(keys[:5])})" if keys else ""
    return f"{text}: {reason}{named}"
