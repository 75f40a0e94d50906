"""The report as an asset: made daily after the reads, and seen in the UI."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.orchestration.keys import report_key
from crm_assets.orchestration.report.collect import collect
from crm_assets.orchestration.report.model import Report, total_change
from crm_assets.warehouse.warehouse import Warehouse

FILE = Path("reports") / "crm_report.html"
"""The page, in the data folder."""
_CRON = "30 7 * * *"
"""After the last default tick of the reads."""


def report_asset(connections: Sequence[Connection], warehouse: Warehouse) -> dg.AssetsDefinition:
    """Return the asset that writes the page.

    It has no dependencies: it reports on whatever there is, and the lineage is of data.

    Args:
        connections: The accounts, at least one.
        warehouse: Where their tables are.
    """
    key = report_key(connections[0])

    @dg.asset(
        key=key,
        group_name=connections[0].group or key.path[-1],
        kinds={"html"},
        description="One page on the state of all tables: what is wrong, since when and what to do, and what changed.",
    )
    def crm_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        from crm_assets.orchestration.report.render import render_report

        report = collect(connections, context.instance, warehouse, context.log.info)
        path = warehouse.folder / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render_report(report, "html"), encoding="utf-8")
        return dg.MaterializeResult(metadata=_metadata(report, path))

    return crm_report


def report_schedule(connections: Sequence[Connection]) -> dg.ScheduleDefinition:
    """Return the daily schedule of the report; it is on if that of any connection is."""
    key = report_key(connections[0])
    enabled = any(connection.schedule.enabled for connection in connections)
    return dg.ScheduleDefinition(
        name=f"{'__'.join(key.path)}_schedule",
        target=dg.AssetSelection.assets(key),
        cron_schedule=_CRON,
        execution_timezone=connections[0].timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if enabled else dg.DefaultScheduleStatus.STOPPED,
        description="Writes the report once a day.",
    )


def _metadata(report: Report, path: Path) -> dict[str, Any]:
    from crm_assets.orchestration.report.render import render_report

    states, change = report.states, total_change(report.tables)
    return {
        "report": dg.MetadataValue.md(render_report(report, "markdown")),
        "page": dg.MetadataValue.path(path.resolve()),
        "failed_checks": states["failed"],
        "warned_checks": states["warned"],
        "passed_checks": states["passed"],
        "rows": sum(table.rows or 0 for table in report.tables),
        "rows_new": change.new,
        "rows_changed": change.changed,
        "rows_deleted": change.deleted,
    }
