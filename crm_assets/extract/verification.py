"""What an API reports of a list, against what was read of it."""

from __future__ import annotations

from crm_assets.extract.errors import ReadError
from crm_assets.extract.read_report import ReadReport


def verify(report: ReadReport, *, paged: bool) -> None:
    """Compare the number of records the API reports with that of the different ones that were read.

    A list that moved may have brought more than there are at its end. Fewer prove nothing, and of a list that was still
    they are an error.

    Args:
        report: The report; it becomes unproven where rows that moved are the reason.
        paged: Whether rows can move between pages.

    Raises:
        ReadError: The API reported another number of records than a list has that was still.
    """
    read, total = report.rows + report.rejected + report.filtered, report.reported_total
    if total is None or report.unproven or read == total or (report.moved and read > total):
        return
    differs = f"the API reports {total} records, but {read} different ones were read ({report.duplicates} came twice)"
    if not paged or not (report.moved or report.duplicates):
        raise ReadError(f"{differs}: what it reports is not the whole list's" if paged and read > total else differs)
    report.unproven = f"{differs}: rows moved while paging; nothing was marked as deleted, and the next run settles it"
