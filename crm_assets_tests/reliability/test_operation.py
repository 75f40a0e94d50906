"""What runs beside the runs: the monitoring that marks dead ones, the UI's door, the audit of dependencies."""

from __future__ import annotations

import logging
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import time_machine
from dagster._core.storage.dagster_run import RunRecord
from dagster._daemon.monitoring.run_monitoring import check_run_timeout

ROOT = Path(__file__).parents[2]


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    """An instance with the settings of the checkout."""
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    return dg.DagsterInstance.from_config(str(tmp_path))


def test_a_run_that_nobody_works_on_is_marked_within_a_day(instance: dg.DagsterInstance) -> None:
    @dg.job
    def empty() -> None:
        """Do nothing."""

    assert instance.run_monitoring_enabled
    limit = instance.run_monitoring_max_runtime_seconds
    assert 0 < limit <= 86_400
    run = instance.create_run_for_job(empty)
    for event in (dg.DagsterEventType.RUN_STARTING, dg.DagsterEventType.RUN_START):
        instance.report_dagster_event(dg.DagsterEvent(event.value, "empty"), run.run_id)

    def monitored() -> dg.DagsterRunStatus:
        record = instance.get_run_record_by_id(run.run_id)
        assert isinstance(record, RunRecord)
        if record.dagster_run.status == dg.DagsterRunStatus.STARTED:
            check_run_timeout(instance, record, logging.getLogger(__name__), float(limit))
        found = instance.get_run_by_id(run.run_id)
        assert found
        return found.status

    assert monitored() == dg.DagsterRunStatus.STARTED
    record = instance.get_run_record_by_id(run.run_id)
    assert record
    assert record.start_time
    with time_machine.travel(record.start_time + limit + 1):
        assert monitored() == dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_servers_listen_on_this_machine_alone(command: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "crm_assets.cli", command, "--help"], capture_output=True, text=True, check=True
    )
    assert "127.0.0.1" in told.stdout
    assert "--host" not in told.stdout


@pytest.mark.parametrize(
    ("code", "printed", "expected"),
    [
        (0, "No known vulnerabilities found", 0),
        (1, "Found 1 known vulnerability in 1 package", 1),
        (1, "ERROR: the connection to the advisory database failed", 0),
    ],
)
def test_the_audit_fails_for_advisories_and_not_for_silence(
    code: int, printed: str, expected: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[str]] = []

    def answer(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, code, printed, "")

    main = runpy.run_path(str(ROOT / "scripts" / "audit.py"))["main"]
    monkeypatch.setattr(subprocess, "run", answer)
    assert main([]) == expected
    assert "requirements.lock" in asked[0]
    assert printed in capsys.readouterr().out


def test_an_audit_that_gets_no_answer_in_time_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(command: list[str], *, timeout: float, **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    main = runpy.run_path(str(ROOT / "scripts" / "audit.py"))["main"]
    monkeypatch.setattr(subprocess, "run", never)
    assert main([]) == 0
    assert "did not answer" in capsys.readouterr().out
