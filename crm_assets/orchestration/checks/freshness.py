"""The check of the age of current data."""

from __future__ import annotations

from datetime import datetime, timezone

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.checks.report import CheckReport
from crm_assets.orchestration.freshness import current_reads_sql, last_current_read, tolerance_of
from crm_assets.warehouse.session import WarehouseSession


def freshness(session: WarehouseSession, connection: Connection, resource: Resource) -> CheckReport:
    """Look at when current data was last read completely; being late is a warning, the data may still be right."""
    tolerance = tolerance_of(connection, resource)
    read, now = last_current_read(session, connection, resource), datetime.now(timezone.utc)
    report = CheckReport("", current_reads_sql(session, resource.name))
    report.metadata["hours_allowed"] = round(tolerance.late.total_seconds() / 3600, 2)
    if read is None:
        what = "of the current days was" if resource.window else "was"
        report.warnings.append(f"no complete read {what} made yet; materialize the asset")
        return report
    hours = (now - read).total_seconds() / 3600
    report.metadata |= {"hours": round(hours, 2), "read_finished_at": dg.MetadataValue.timestamp(read)}
    report.summary = f"Current data was read {hours:.1f} hours ago; the schedule allows {tolerance.late}."
    if now - read > tolerance.late:
        report.warnings.append(
            f"current data was last read {hours:.1f} hours ago; the schedule allows {tolerance.late}"
        )
    return report
