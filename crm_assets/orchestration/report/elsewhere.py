"""Tables that Dagster has loaded and the warehouse does not have: another destination or data folder is set now."""

from __future__ import annotations

from dataclasses import replace

from crm_assets.orchestration.report.model import CheckHistory, TableReport

CHECK_NAME = "warehouse"
"""Listed as the only check of such a table: what its checks found is not about this warehouse."""
REMEDY = (
    "Read them again with `crm-assets sync '{selection}' --full`, or set CRM_ASSETS_DESTINATION and CRM_ASSETS_DATA as "
    "they were before."
)


def marked_if_elsewhere(table: TableReport, place: str) -> TableReport:
    """Return a table's report, without numbers if the read log of the warehouse does not know the table.

    Args:
        table: With the reads of it that the warehouse has on record.
        place: The warehouse in a sentence.
    """
    if table.reads or table.materialized_at is None:
        return table
    sentence = f"{table.name} was loaded into another warehouse than {place}, which has no read of it on record."
    missing = CheckHistory(CHECK_NAME, "failed", sentence, since=table.materialized_at)
    return replace(table, rows=None, loaded=None, checks=(missing,))
