"""Do the values that name rows of other tables find them?"""

from __future__ import annotations

from dataclasses import dataclass

from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Reference, Resource
from crm_assets.extract.decode.duckdb_types import literal, quoted
from crm_assets.orchestration.checks.report import OFFENDERS, CheckReport
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession

_JOINED_WHOLE = 200_000
"""Rows of all tables concerned up to which every value is looked up after each read: half a second on PostgreSQL."""


def checkable(connection: Connection, resource: Resource) -> list[Reference]:
    """Return the references that are values of their own; those inside of JSON are documented, not checked."""
    references = connection.system.references(resource)
    return [reference for reference in references if resource.columns[reference.column].type is not ColumnType.JSON]


def references(session: WarehouseSession, connection: Connection, resource: Resource) -> CheckReport:
    """Look each value up in the table it refers to; a vendor may delete what others still name, so it only warns.

    Right after a read of changes or of windows into large tables only the values that it brought are looked up, which
    takes hardly longer than in small ones; after a full refresh, for windows each week, and when the check is run by
    itself, all are.
    """
    declared = checkable(connection, resource)
    read_id = _read_looked_up(session, resource, declared)
    brought = " that this read brought" if read_id else ""
    report = CheckReport("", ";\n".join(_dangling_sql(session, resource, each, read_id) for each in declared))
    if not session.columns(resource.name):
        report.problems.append("the table does not exist yet; materialize the asset")
        return report
    look_ups = [
        _look_up(session, resource, reference, read_id) for reference in declared if session.columns(reference.resource)
    ]
    report.metadata |= {f"{look_up.column} found": round(look_up.share, 4) for look_up in look_ups}
    report.warnings += [
        f"{look_up.missing:,} of {look_up.values:,} values of {look_up.column}{brought} are not in {look_up.resource}"
        for look_up in look_ups
        if look_up.missing
    ]
    waiting = sorted({reference.resource for reference in declared if not session.columns(reference.resource)})
    checked = (
        f"All values of {', '.join(look_up.column for look_up in look_ups)}{brought} are found."
        if look_ups
        else "Nothing to look up yet."
    )
    report.summary = checked + (f" Not loaded: {', '.join(waiting)}." if waiting else "")
    report.add_offenders(
        {"column": look_up.column, "value": value, "rows": rows, "missing in": look_up.resource}
        for look_up in look_ups
        if look_up.missing
        for value, rows in session.query(_dangling_sql(session, resource, look_up.reference, read_id))
    )
    return report


@dataclass(frozen=True)
class _LookUp:
    reference: Reference
    values: int
    missing: int

    @property
    def column(self) -> str:
        return self.reference.column

    @property
    def resource(self) -> str:
        return self.reference.resource

    @property
    def share(self) -> float:
        return 1 - self.missing / self.values if self.values else 1.0


def _look_up(session: WarehouseSession, resource: Resource, reference: Reference, read_id: str | None) -> _LookUp:
    joined = _join_sql(session, resource, reference, read_id)
    ((values, missing),) = session.query(
        f"SELECT count(*), count(CASE WHEN target.key IS NULL THEN 1 END) FROM {joined}"
    )
    return _LookUp(reference, values, missing)


def _read_looked_up(session: WarehouseSession, resource: Resource, declared: list[Reference]) -> str | None:
    """Return the read of changes or windows whose values alone are looked up; ``None`` for those of all rows."""
    read_id = session.changed_by.get(resource.name)
    if read_id is None:
        return None
    tables = {resource.name, *(reference.resource for reference in declared)}
    counts = [read_log.complete_reads(session, name, ["table_rows"], "table_rows IS NOT NULL")[:1] for name in tables]
    return read_id if sum(int(rows) for count in counts for (rows,) in count) > _JOINED_WHOLE else None


def _dangling_sql(session: WarehouseSession, resource: Resource, reference: Reference, read_id: str | None) -> str:
    return (
        f"SELECT CAST(source.value AS VARCHAR), source.times FROM {_join_sql(session, resource, reference, read_id)}\n"
        f"WHERE target.key IS NULL ORDER BY source.times DESC LIMIT {OFFENDERS}"
    )


def _join_sql(session: WarehouseSession, resource: Resource, reference: Reference, read_id: str | None) -> str:
    """Return the join of the distinct values with the keys they name, as text where types differ: 7 and ``"7"``.

    Of the other table only the keys that the values of one read name are taken, by index where it has one.
    """
    value, key = _comparable(session, resource, reference)
    target = session.table(reference.resource)
    of_read = f" AND _read_id = {literal(read_id)}" if read_id else ""
    values = f"FROM {session.table(resource.name)}\n  WHERE {value} IS NOT NULL AND _deleted_at IS NULL{of_read}"
    named = f"\n  WHERE {key} IN (SELECT {value} {values})" if read_id else ""
    return (
        f"(SELECT {value} AS value, count(*) AS times {values} GROUP BY 1) AS source\n"
        f"LEFT JOIN (SELECT DISTINCT {key} AS key FROM {target}{named}) AS target ON target.key = source.value"
    )


def _comparable(session: WarehouseSession, resource: Resource, reference: Reference) -> tuple[str, str]:
    """Return the value and the key it names so that they can be compared."""
    value, key = quoted(reference.column), quoted(reference.key)
    found, named = (
        session.columns(table).get(column)
        for table, column in ((resource.name, reference.column), (reference.resource, reference.key))
    )
    if found and named and found[0] == named[0]:
        return value, key
    return f"CAST({value} AS VARCHAR)", f"CAST({key} AS VARCHAR)"
