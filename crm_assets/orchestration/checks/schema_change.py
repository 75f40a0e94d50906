"""Do records look as they did before?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.checks.report import CheckReport
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession

_SHOWN = 5
"""Changes in the sentence; the table has more."""


@dataclass(frozen=True)
class _Read:
    mode: str
    rows: int
    fields: dict[str, Any]


def schema_change(session: WarehouseSession, _: Connection, resource: Resource) -> CheckReport:
    """Compare the fields of the last read with those of the reads before."""
    names, known = ["mode", "rows", "fields"], "fields IS NOT NULL AND rows > 0"
    report = CheckReport("", read_log.complete_reads_sql(session, resource.name, [*names, "finished_at"], known))
    found = read_log.complete_reads(session, resource.name, names, known)
    reads = [_Read(mode, rows, json.loads(fields)) for mode, rows, fields in found]
    changes = [*_changes(reads[0], reads[1:])] if len(reads) > 1 else []
    report.metadata |= {"changes": len(changes), "reads": len(reads)}
    report.summary = (
        "Records look as they did in the read before." if len(reads) > 1 else "There is no read before to compare with."
    )
    report.warnings += [f"{field} {change}" for field, change in changes[:_SHOWN]]
    if len(changes) > _SHOWN:
        report.warnings.append(f"and {len(changes) - _SHOWN} more changes")
    report.add_offenders({"column": field, "change": change} for field, change in changes)
    return report


def _changes(last: _Read, earlier: list[_Read]) -> Iterator[tuple[str, str]]:
    """Yield field and change: declared columns against the read before, what records show against all reads before."""
    now, before = last.fields["columns"], earlier[0].fields["columns"]
    yield from ((name, f"is a new column ({now[name]})") for name in now if name not in before)
    yield from ((name, "is no longer a declared column") for name in before if name not in now)
    for name in now:
        if name in before and now[name] != before[name]:
            yield name, f"was {before[name]} and is {now[name]}"
    yield from (
        (name, "is a new field that no column declares (kept in _extra)") for name in _new("undeclared", last, earlier)
    )
    for name in _new("misfits", last, earlier):
        yield name, f"came with values that are not {now.get(name, 'of its type')} (kept in _misfits)"
    whole = [read for read in earlier if read.mode == "full_refresh"]
    if last.mode == "full_refresh" and whole:
        yield from ((name, "is in no record any more") for name in _new("absent", last, whole) if name in before)


def _new(kind: str, last: _Read, earlier: list[_Read]) -> list[str]:
    known = {name for read in earlier for name in read.fields[kind]}
    return [name for name in last.fields[kind] if name not in known]
