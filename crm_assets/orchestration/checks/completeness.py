"""Did the last read see the end of its list, and every parent?"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.checks.report import CheckReport, counted
from crm_assets.warehouse import read_log
from crm_assets.warehouse.loaded_days import outdated_ranges
from crm_assets.warehouse.session import WarehouseSession

_RANGES_SHOWN = 5
"""Ranges of days that a sentence names."""


def completeness(session: WarehouseSession, connection: Connection, resource: Resource) -> CheckReport:
    """Look at the report of the last read."""
    last = read_log.last_read(session, resource.name)
    columns = ["complete", "reason", "rows", "pages", "requests", "finished_at"]
    report = CheckReport("", read_log.last_read_sql(session, resource.name, columns))
    if last is None:
        report.problems.append("it was never read; materialize the asset")
        return report
    report.summary = (
        f"The last read ({last.mode}) saw the end: {last.reason}; {counted(last.rows, 'row', 'rows')} from "
        f"{counted(last.pages, 'page', 'pages')}."
    )
    if not last.complete:
        reason = last.reason.removeprefix(f"{connection.name}.{resource.name}: ")
        report.problems.append(f"the last read was not loaded: {reason}")
    report.warnings += _warnings(last)
    if resource.window and (outdated := outdated_ranges(session, connection, resource)):
        report.warnings.append(_outdated_sentence([str(dates) for dates in outdated]))
    report.metadata |= {
        "rows": last.rows,
        "pages": last.pages,
        "requests": last.requests,
        "skipped_lists": len(last.details["skipped"]),
        "vanished_rows_not_marked": last.delete_refused,
        "read_finished_at": dg.MetadataValue.timestamp(last.finished_at),
        "run": last.run_id,
    }
    report.add_offenders([{"skipped": text} for text in last.details["skipped"]])
    return report


def _warnings(last: read_log.LastRead) -> Iterator[str]:
    """Yield what leaves doubt whether the table has every row, though the read was loaded."""
    details = last.details
    if not details.get("one_transaction", True):
        yield "this destination has no transactions, so a load that breaks off may leave part of it"
    if assumed := details.get("assumed"):
        yield assumed
    for doubt in details.get("doubts", ())[:1]:
        yield f"{doubt}: its end may be declared wrongly"
    if unproven := details.get("unproven"):
        yield unproven
    if skipped := details["skipped"]:
        yield f"{counted(len(skipped), 'list was', 'lists were')} skipped: {skipped[0]}"
    if missing := details.get("missing_parents"):
        yield f"{missing}, so nothing was marked as deleted"
    if last.strays:
        rows = counted(last.strays, "row lies", "rows lie")
        yield f"{rows} outside the days asked for; set the connection's timezone"
    if last.delete_refused:
        rows = counted(last.delete_refused, "row", "rows")
        yield (
            f"{rows} vanished at the source, more than max_delete_fraction allows; none was marked. If they are really "
            f"gone, sync once with max_delete_fraction: 1 on the connection"
        )


def _outdated_sentence(ranges: list[str]) -> str:
    named = ", ".join(ranges[:_RANGES_SHOWN]) + (" and more" if ranges[_RANGES_SHOWN:] else "")
    return (
        f"{named} {'was' if len(ranges) == 1 and ' to ' not in named else 'were'} read before the declaration changed, "
        f"and may lack what it asks for now; materialize these partitions again"
    )
