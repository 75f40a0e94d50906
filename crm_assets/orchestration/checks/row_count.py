"""Does the table grow and shrink as it usually does?"""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.checks.report import CheckReport, counted
from crm_assets.warehouse import read_log
from crm_assets.warehouse.session import WarehouseSession

_FEWEST = 3
"""Reads from which on a table has something usual: two steps are the fewest that can agree."""
_STEP_ROWS, _STEP_SHARE, _USUAL_STEPS = 10, 0.2, 3
"""A step is unusual beyond all of these: rows, share of the table, and times the median of the steps before."""


def row_count(session: WarehouseSession, _: Connection, resource: Resource) -> CheckReport:
    """Compare the last step of a table's number of rows with the steps before; the source may be right, so it warns."""
    counted_reads = resource.name, ["table_rows", "finished_at"], "table_rows IS NOT NULL"
    report = CheckReport("", read_log.complete_reads_sql(session, *counted_reads))
    counts = [int(rows) for rows, _ in read_log.complete_reads(session, *counted_reads)]
    if len(counts) < 2:
        report.summary = "The table was read only once, so there is nothing to compare with." if counts else _UNREAD
        return report
    rows, before = counts[:2]
    allowed = _allowed(counts[1:])
    report.metadata |= {"rows": rows, "rows_before": before, "rows_of_an_unusual_step": allowed, "reads": len(counts)}
    report.summary = f"The table has {counted(rows, 'row', 'rows')}; it had {before:,} after the read before."
    grows = resource.window is not None or resource.write_disposition == "append"
    step = before - rows if grows else abs(rows - before)
    if before and not rows:
        report.warnings.append(f"the table is empty; it had {counted(before, 'row', 'rows')} after the read before")
    elif len(counts) >= _FEWEST and step > allowed:
        report.warnings.append(
            f"the table went from {before:,} to {counted(rows, 'row', 'rows')}; a step of more than {allowed:,} is "
            f"unusual, judging by its last {len(counts) - 1} reads"
        )
    return report


_UNREAD = "No read has counted the table's rows yet."


def _allowed(counts: list[int]) -> int:
    """Return the greatest usual step of a table, from its numbers of rows, the latest first."""
    shares = [abs(after - before) / max(before, 1) for after, before in pairwise(counts)]
    share = max(_STEP_SHARE, _USUAL_STEPS * median(shares)) if shares else _STEP_SHARE
    return max(_STEP_ROWS, round(counts[0] * share))
