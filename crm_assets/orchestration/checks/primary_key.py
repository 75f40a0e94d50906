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

    Right after a read of changes or of windows only its own keys are looked for in the table, since all others were
    checked before: that takes hardly longer in a large table. A full refresh looks through the whole table again, for
    windows a read each week, and the check when it is run by itself.
    """
    if not resource.primary_key:
        written = {"append": "every read is appended"}.get(resource.write_disposition, "each read replaces the table")
        return CheckReport(f"No key is declared: {written}, so there is none to check.", "")
    changed_by, last = session.changed_by.get(resource.name), read_log.last_read(session, resource.name)
    sql = _repeated_keys_sql(session.table(resource.name), resource, changed_by, last.rows if last else 0)
    rows_meant = "Every row that this read changed" if changed_by else "Every row"
    report = CheckReport(f"{rows_meant} has its own {' + '.join(resource.primary_key)}.", sql)
    if not session.columns(resource.name):
        report.problems.append("the table does not exist yet; materialize the asset")
        return report
    repeated = _check_table(report, session, resource, sql, changed_by)
    rejects = _check_last_read(report, last, resource)
    report.add_offenders(repeated or rejects)
    return report


def _check_table(
    report: CheckReport, session: WarehouseSession, resource: Resource, sql: str, read_id: str | None
) -> list[dict[str, object]]:
    """Report rows without a key and keys on several rows, of the table or of one read; return the latter."""
    of_read = f" WHERE _read_id = {literal(read_id)}" if read_id else ""
    counts = (
        f"SELECT count(*), count(CASE WHEN {_is_null(resource)} THEN 1 END) "
        f"FROM {session.table(resource.name)}{of_read}"
    )
    ((rows, keyless),) = session.query(counts)
    repeated = session.query(sql)
    if keyless:
        report.problems.append(counted(keyless, "row has", "rows have") + " no key")
    if repeated:
        at_least = "at least " if len(repeated) == OFFENDERS else ""
        report.problems.append(at_least + counted(len(repeated), "key is", "keys are") + " on several rows")
    report.metadata |= {
        "rows_of_read" if read_id else "rows": rows,
        "null_keys": keyless,
        "duplicate_keys": len(repeated),
    }
    return [dict(zip([*resource.primary_key, "times"], row, strict=True)) for row in repeated]


def _check_last_read(report: CheckReport, last: read_log.LastRead | None, resource: Resource) -> list[dict[str, str]]:
    """Report the records that the last read rejected or saw twice; return them."""
    rejected, duplicates = (last.rejected, last.duplicates) if last else (0, 0)
    details = last.details if last else {}
    rejects: list[dict[str, str]] = details.get("rejects", [])
    if rejected:
        report.problems.append(_rejected(rejected, rejects, resource))
    if duplicates:
        records = counted(duplicates, "record", "records")
        report.warnings.append(f"the last read saw {records} twice (the newest was kept)")
    report.metadata |= {"rejected_records": rejected, "duplicates_in_read": duplicates}
    return rejects or details.get("duplicate_keys", [])


def _repeated_keys_sql(table: str, resource: Resource, read_id: str | None, rows: int) -> str:
    """Return the query for the keys that several rows have, among all rows or those whose key a read has brought."""
    key = ", ".join(f"t.{quoted(name)}" for name in resource.primary_key)
    among = f" JOIN {_keys_of(read_id, rows, table, resource)}" if read_id else ""
    # a table of all reads has the row of a key once for each of them
    within = ", t._read_id" if resource.write_disposition == "append" else ""
    return (
        f"SELECT {key}, count(*) AS times FROM {table} AS t{among} WHERE NOT ({_is_null(resource, 't.')})\n"
        f"GROUP BY {key}{within} HAVING count(*) > 1 ORDER BY times DESC LIMIT {OFFENDERS}"
    )


def _is_null(resource: Resource, prefix: str = "") -> str:
    return " OR ".join(f"{prefix}{quoted(name)} IS NULL" for name in resource.primary_key)


def _keys_of(read_id: str, rows: int, table: str, resource: Resource) -> str:
    """Return the keys that a read has brought, to join.

    It brought so many rows, which the limit tells planners: DuckDB takes them for half the table after a full refresh.
    """
    names = [quoted(name) for name in resource.primary_key]
    same = " AND ".join(f"k.{name} = t.{name}" for name in names)
    keys = f"SELECT DISTINCT {', '.join(names)} FROM {table} WHERE _read_id = {literal(read_id)} LIMIT {max(rows, 1)}"
    return f"({keys}) AS k ON {same}"


def _rejected(count: int, first: list[dict[str, str]], resource: Resource) -> str:
    """Return the sentence for rejected records: how many, where they are, and the reason and keys of the first."""
    text = f"{counted(count, 'record was', 'records were')} rejected (kept in {resource.name}__rejected)"
    if not first:
        return text
    reason = first[0]["reason"]
    keys = [entry["key"] for entry in first if entry["reason"] == reason and entry["key"]]
    named = f" ({', '.join(resource.primary_key)}: {'; '.join(keys[:5])})" if keys else ""
    return f"{text}: {reason}{named}"
