"""The real daemon, in a process of its own: a schedule and a change sensor launch runs that load."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
import yaml

from crm_assets.commands.dagster_home import TEMPLATE
from crm_assets.declarations.connections import load_connections
from crm_assets.orchestration.automation.schedules import RANGE_END, RANGE_START
from crm_assets.orchestration.keys import CONNECTION_TAG
from crm_assets.sandbox import sandbox_environment
from crm_assets_tests.faults import FaultySandbox, serve
from crm_assets_tests.forks import running
from crm_assets_tests.installation import Installation

DEADLINE = 150
"""Seconds for a schedule that ticks every minute, on a machine that is busy with other tests."""
TODAY = datetime.now(timezone.utc).date()
CONNECTION = {
    "name": "service_crm",
    "system": "service_crm",
    "start_date": TODAY - timedelta(days=6),
    "resources": ["appointments", "tickets"],
    "schedule": {"cron": "0 4 1 1 *", "windows": "* * * * *", "enabled": True, "sensor_seconds": 30},
}


@contextmanager
def daemon(home: Path) -> Iterator[None]:
    """Run the daemon on the code location; it inherits the environment."""
    log = home / "daemon.log"
    try:
        with running(["dagster-daemon", "run", "-m", "crm_assets.definitions"], environment=os.environ, told=log):
            yield
    except AssertionError:
        print(log.read_text()[-5000:])
        raise


def finished(instance: dg.DagsterInstance, job: str) -> dg.DagsterRun | None:
    runs = instance.get_runs(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1)
    return runs[0] if runs else None


def test_a_schedule_and_a_change_sensor_launch_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, home = tmp_path / "connections.yaml", tmp_path / "home"
    path.write_text(yaml.safe_dump({"connections": [CONNECTION]}))
    home.mkdir()
    (home / "dagster.yaml").write_text(TEMPLATE.read_text().replace("data/dagster", str(home)))
    connections = load_connections(path)
    yesterday = TODAY - timedelta(days=1)  # by now all of its changes are in the past
    sandbox = FaultySandbox(connections, rows=40, today=yesterday)
    with serve(sandbox) as base_url:
        environment = {
            **sandbox_environment(connections, base_url),
            "CRM_ASSETS_CONNECTIONS": str(path),
            "CRM_ASSETS_DATA": str(tmp_path / "data"),
            "DAGSTER_HOME": str(home),
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        house = Installation(sandbox, base_url, tmp_path / "data", connections)
        assert house.materialize("service_crm/tickets").success
        sandbox.state = 1
        with dg.DagsterInstance.get() as instance, daemon(home):  # its databases are made once, not by two at a time
            deadline = time.monotonic() + DEADLINE
            jobs = ("service_crm_lists", "service_crm_windows")
            while not all(finished(instance, job) for job in jobs) and time.monotonic() < deadline:
                time.sleep(0.5)
            changed, windows = (finished(instance, job) for job in jobs)
            assert changed
            assert windows
            assert not instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))

    assert changed.tags["crm/changed"] == "tickets"
    assert changed.tags["dagster/sensor_name"] == "service_crm_changes"
    newest = [max(row["updated_at"] for row in rows("service_crm", "tickets")) for rows in (house.table, house.truth)]
    assert newest[0] == newest[1]
    assert windows.tags[CONNECTION_TAG] == "service_crm"
    first, last = (datetime.fromisoformat(windows.tags[tag]).date() for tag in (RANGE_START, RANGE_END))
    window = connections[0].system.resource("appointments").window
    assert window
    assert last - first == timedelta(days=window.lookback_days + window.days_ahead)
    assert house.query("SELECT date_range FROM service_crm._reads WHERE resource = 'appointments'")[0][
        "date_range"
    ] == (f"{first} to {last}")
