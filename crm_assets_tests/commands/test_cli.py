"""The verbs, typed as a person types them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from crm_assets_tests.commands.conftest import Desk
from crm_assets_tests.faults import Fault
from crm_assets_tests.forks import running
from crm_assets_tests.reliability.killed_runs import until


@pytest.fixture(autouse=True)
def _no_faults_left(desk: Desk) -> None:
    desk.sandbox.faults.clear()


def test_sync_loads_what_is_selected_and_writes_its_summary(desk: Desk, tmp_path: Path) -> None:
    done = desk.types(f"crm-assets sync 'key:\"sales_crm/accounts\"' --json {tmp_path / 'summary.json'}")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    (asset,) = summary["assets"]
    assert (asset["connection"], asset["resource"], asset["materialized"]) == ("sales_crm", "accounts", True)
    assert set(asset["checks"].values()) == {"passed"}
    assert set(summary["stages"]) == {"fetch", "load", "checks"}
    with duckdb.connect(desk.data / "warehouse.duckdb", read_only=True) as warehouse:
        ((rows,),) = warehouse.sql("SELECT count(*) FROM sales_crm.accounts").fetchall()
    assert rows == asset["rows"] > 0


def test_the_runs_of_a_sync_are_named_and_tagged_by_what_they_read(desk: Desk) -> None:
    assert (
        desk.types('crm-assets sync \'key:"visitor_analytics/accounts" or key:"visitor_analytics/visits"\'').returncode
        == 0
    )
    with dg.DagsterInstance.from_config(desk.environment["DAGSTER_HOME"]) as instance:
        runs = instance.get_runs(dg.RunsFilter(tags={"crm/connection": "visitor_analytics"}))
        assert {run.job_name: run.tags["crm/mode"] for run in runs} == {
            "visitor_analytics_lists": "lists",
            "visitor_analytics_windows": "windows",
        }
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
        own = {name: value for run in runs for name, value in run.tags.items() if name.startswith("crm/")}
    assert own.keys() == {"crm/connection", "crm/mode"}
    assert not [value for value in own.values() if "/" in value]
    assert not [*(desk.data / "runs").iterdir()]


def test_sync_of_a_failing_list_says_so_and_exits_with_1(desk: Desk) -> None:
    desk.sandbox.faults.push(Fault("status", status=404, connection="sales_crm", resource="products"))
    done = desk.types("crm-assets sync 'group:sales_crm'")
    assert done.returncode == 1
    assert "2 of 3 assets materialized" in done.stdout
    assert "there is nothing at this address" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("crm-assets sync 'group:nowhere'", "Nothing is selected"),
        ("crm-assets sync --to 2026-10-05", "--to needs --from"),
        ("crm-assets sync --from 2026-10-05 --to 2026-10-01", "--to lies before --from"),
        ("crm-assets sync 'group:visitor_analytics' --from 2020-01-01 --to 2020-01-02", "No partition lies between"),
        ("crm-assets doctor sales_cmr", "no connection 'sales_cmr'; did you mean 'sales_crm'?"),
        ("crm-assets preview sales_crm.acounts", "did you mean 'accounts'?"),
        ("CRM_ASSETS_CONNECTIONS=nowhere.yaml crm-assets sync", "file not found"),
        ("crm-assets sandbox --port ${CRM_ASSETS_SANDBOX##*:}", "Address already in use"),
        ("SOURCES__SALES_CRM__PASSWORD= crm-assets sync 'group:sales_crm'", "the secret password is empty"),
    ],
)
def test_what_a_person_can_mend_is_told_in_a_sentence(desk: Desk, command: str, sentence: str) -> None:
    done = desk.types(command)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert sentence in said
    assert "Traceback" not in said


def test_a_declaration_is_exported_for_dlt_without_its_secrets(desk: Desk) -> None:
    done = desk.types("crm-assets export-dlt sales_crm")
    config = json.loads(done.stdout)
    assert [resource["name"] for resource in config["resources"]][:2] == ["accounts", "contacts"]
    assert config["client"]["auth"]["password"] == 'dlt.secrets["sources.sales_crm.password"]'


def test_the_sandbox_prints_what_to_set(desk: Desk) -> None:
    done = desk.types("crm-assets sandbox --print-env --port 8123")
    assert "export CRM_ASSETS_SANDBOX=http://127.0.0.1:8123" in done.stdout
    assert "export SOURCES__SALES_CRM__USERNAME=" in done.stdout


def test_a_seed_document_is_imported_with_its_repairs(desk: Desk) -> None:
    done = desk.types("crm-assets import crm_assets_tests/seeds/003.txt")
    assert done.returncode == 0
    assert "name: visits" in done.stdout
    assert "repairs:" in done.stderr


def test_ctrl_c_stops_a_sync_cleanly(desk: Desk, tmp_path: Path) -> None:
    desk.sandbox.faults.push(Fault("delay", seconds=30))
    desk.sandbox.requests.clear()
    data, told = Path(f"{desk.data}-stopped"), tmp_path / "told"
    with running(
        ["crm-assets", "sync"], environment={**desk.environment, "CRM_ASSETS_DATA": str(data)}, told=told
    ) as process:
        until(lambda: list(desk.sandbox.requests) or not process.is_alive())
        os.killpg(process.pid, signal.SIGINT)
        process.join(60)
        said = told.read_text()
        assert process.exitcode == 130, said
    assert "Stopped" in said
    assert "Traceback" not in said
    assert not [path for path in data.glob("runs/*") if path.is_dir()]


@pytest.mark.parametrize(
    "command", ["dg check defs", "dagster definitions validate", "dagster asset list -m crm_assets.definitions"]
)
def test_the_commands_of_any_dagster_project_work_here(desk: Desk, command: str) -> None:
    done = desk.types(command)
    assert done.returncode == 0, done.stdout + done.stderr
