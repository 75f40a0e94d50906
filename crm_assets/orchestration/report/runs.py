"""Runs that failed before they came to a table's checks: a missing secret, say, or a warehouse that is locked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import dagster as dg

from crm_assets.orchestration.report.checks import utc_moment
from crm_assets.orchestration.report.model import CheckHistory

CHECK_NAME = "last run"
"""Listed among the checks of a table whose last run failed."""
REMEDY = "The log of the run says more; `crm-assets doctor {connection}` tries the connection."


@dataclass
class LastRuns:
    """The last run of each table, and what failed it.

    Args:
        instance: Where Dagster keeps its events.
        keys: The tables' assets.
    """

    instance: dg.DagsterInstance
    keys: Iterable[dg.AssetKey]
    _failures: dict[str, CheckHistory | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        records = self.instance.get_asset_records(list(self.keys))
        self._runs = {record.asset_entry.asset_key: record.asset_entry.last_run_id for record in records}

    def failure(self, key: dg.AssetKey, checks: Iterable[CheckHistory], loaded_by: str) -> CheckHistory | None:
        """Return what failed the last run of a table, unless the run loaded the table or a check of it says so.

        Args:
            key: The table's asset.
            checks: The table's checks.
            loaded_by: The run that loaded the table last.
        """
        run_id = self._runs.get(key)
        if not run_id or run_id == loaded_by or run_id in {check.run_id for check in checks}:
            return None
        if run_id not in self._failures:
            self._failures[run_id] = self._failure(run_id)
        return self._failures[run_id]

    def _failure(self, run_id: str) -> CheckHistory | None:
        record = self.instance.get_run_record_by_id(run_id)
        if record is None or record.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
            return None
        at = utc_moment(record.end_time) if record.end_time else None
        return CheckHistory(CHECK_NAME, "failed", self._sentence(run_id), at=at, run_id=run_id, since=at)

    def _sentence(self, run_id: str) -> str:
        """Return why a run failed; of an unexpected exception only the class, because it may quote anything."""
        for entry in self.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
            data = entry.get_dagster_event().step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                return data.user_failure_data.description
            error = data.error and (data.error.cause or data.error)
            return f"A step of the run failed ({error.cls_name if error else 'no reason given'})."
        return "The run failed before its first step."
