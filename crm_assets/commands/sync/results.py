"""What became of the assets of a run, read from its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from crm_assets.orchestration.partition_numbers import run_numbers


@dataclass
class AssetResult:
    """What became of one asset."""

    connection: str
    resource: str
    materialized: bool = False
    rows: int | None = None
    loaded: int | None = None
    requests: int = 0
    numbers: dict[str, float] = field(default_factory=dict)
    """Further numbers of the materialization's metadata."""
    checks: dict[str, str] = field(default_factory=dict)
    """Check name to ``passed``, ``warned`` or ``failed``."""
    resumed: str = ""
    """What an interrupted run had read, as a clause."""
    sentences: list[str] = field(default_factory=list)
    """What the checks that did not pass, or the run, said."""

    @property
    def succeeded(self) -> bool:
        """Whether it was loaded and no check failed."""
        return self.materialized and "failed" not in self.checks.values()


def results_of(run: dg.ExecuteInProcessResult, connection: str, assets: Sequence[dg.AssetKey]) -> list[AssetResult]:
    """Return one result per asset of a run."""
    results = {key: AssetResult(connection, key.path[-1]) for key in assets}
    for event in run.get_asset_materialization_events():
        if event.asset_key in results:
            _take_materialization(results[event.asset_key], event.step_materialization_data.materialization.metadata)
    for check in run.get_asset_check_evaluations():
        if check.asset_key in results:
            _take_check(results[check.asset_key], check)
    if not run.success:
        _take_failure(list(results.values()), run)
    return list(results.values())


def interrupted(run: dg.ExecuteInProcessResult) -> bool:
    """Return whether a run was stopped; Dagster takes Ctrl-C for itself and goes on as if it had not been stopped."""
    errors = (getattr(event.event_specific_data, "error", None) for event in run.all_events)
    return any(error and error.cls_name == dg.DagsterExecutionInterruptedError.__name__ for error in errors)


def _take_materialization(result: AssetResult, metadata: Mapping[str, Any]) -> None:
    numbers = run_numbers(metadata)
    result.materialized = True
    rows, loaded = numbers.get("dagster/row_count"), numbers.get("rows_loaded")
    result.rows, result.loaded = None if rows is None else int(rows), None if loaded is None else int(loaded)
    result.requests = int(numbers.get("requests", 0))
    result.numbers = numbers
    result.resumed = str(metadata["resumed"].value) if "resumed" in metadata else ""


def _take_check(result: AssetResult, check: Any) -> None:
    severe = check.severity == dg.AssetCheckSeverity.ERROR
    result.checks[check.check_name] = "passed" if check.passed else "failed" if severe else "warned"
    if not check.passed:
        result.sentences.append(f"{check.check_name}: {check.description}")


def _take_failure(results: list[AssetResult], run: dg.ExecuteInProcessResult) -> None:
    """Give what was not loaded its one reason, in place of what its checks say of a table that is as it was."""
    for event in run.all_events:
        if event.is_step_failure:
            for result in results:
                if not result.materialized:
                    result.sentences = [_failure_reason(result, event.step_failure_data, run.run_id)]


def _failure_reason(result: AssetResult, data: Any, run_id: str) -> str:
    if data.user_failure_data is None:
        error = (data.error.cause or data.error) if data.error else None
        text = " ".join(error.message.split()) if error else "the step failed"
        return f"{text} (a bug; its traceback is in the log of run {run_id})"
    own = data.user_failure_data.metadata.get(result.resource)
    text = str(own.value) if own else data.user_failure_data.description or "the run failed"
    return text.removeprefix(f"{result.connection}.{result.resource}: ")
