"""Does the table have as many rows as the source says there are?"""

from __future__ import annotations

import json

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.paginator import Offset, PageNumber, SinglePage
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.checks.report import CheckReport, counted
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession


def reports_total(_: Connection, resource: Resource) -> bool:
    """Whether a source says how many records a whole table has: not of windows, nor of appended reads."""
    paginator = resource.endpoint.paginator
    counts = isinstance(paginator, (SinglePage, PageNumber, Offset)) and paginator.total_records_path is not None
    return counts and resource.window is None and resource.write_disposition != "append"


def reconciliation(session: WarehouseSession, _: Connection, resource: Resource) -> CheckReport:
    """Compare the total that the source reported in the last full refresh with the table after it."""
    names = ["reported_total", "table_rows", "rejected", "delete_refused", "finished_at", "details"]
    reported = "mode = 'full_refresh' AND reported_total IS NOT NULL AND table_rows IS NOT NULL"
    report = CheckReport("", read_log.complete_reads_sql(session, resource.name, names[:-1], reported))
    reads = read_log.complete_reads(session, resource.name, names, reported)
    if not reads:
        report.summary = "No full refresh has reported a total yet."
        return report
    total, rows, rejected, refused, finished_at, details = reads[0]
    filtered = json.loads(details)["filtered"]
    surplus = rows - (total - filtered)
    report.metadata |= {"source": total, "left_out_by_filter": filtered, "table": rows, "difference": surplus}
    records = counted(total, "record", "records")
    report.summary = f"The source reported {records}, and the table had {counted(rows, 'row', 'rows')}."
    if surplus:
        parts = {"rejected": rejected, "vanished and not marked": refused, "left out by a filter": filtered}
        reasons = ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)
        report.warnings.append(
            f"the source reported {records} on {finished_at:%Y-%m-%d %H:%M}, and the table had {rows:,} rows"
            + (f" ({reasons})" if reasons else "")
        )
    return report
