"""``crm-assets sync`` in a project of one's own: its connections, and what hangs on their tables."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from crm_assets import build_defs
from crm_assets.commands.workspace import Workspace
from crm_assets.settings import Settings
from crm_assets_tests.commands.conftest import Desk
from crm_assets_tests.faults import Fault
from crm_assets_tests.forks import typed

DEFINITIONS = """
from pathlib import Path

import crm_assets
import dagster as dg


@dg.asset(deps=[["raw", "sales_crm", "accounts"]])
def customers_by_city(context) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"dagster/row_count": 3})


@dg.asset(deps=[customers_by_city], partitions_def=dg.DailyPartitionsDefinition("2026-01-01"))
def by_day(context) -> dg.MaterializeResult:
    if context.partition_key == "2026-02-02":
        raise ValueError("no such day")
    return dg.MaterializeResult(metadata={"dagster/row_count": int(context.partition_key[-2:])})


@dg.asset(deps=[by_day])
def of_all_days() -> None: ...


@dg.asset(deps=[customers_by_city], partitions_def=dg.StaticPartitionsDefinition(["north", "south"]))
def by_region() -> None: ...


@dg.asset(deps=[customers_by_city])
def broken() -> None:
    raise ValueError("no city is known")


@dg.asset
def unrelated() -> None: ...


@dg.definitions
def defs():
    crm = crm_assets.build_defs(Path(__file__).parent / "accounts.yaml", key_prefix="raw", group="crm")
    own = [customers_by_city, by_day, of_all_days, by_region, broken, unrelated]
    return dg.Definitions.merge(crm, dg.Definitions(assets=own))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("acme")
    (folder / "pyproject.toml").write_text("[tool.dg.project]\nroot_module = 'acme'\n", encoding="utf-8")
    (folder / "src" / "acme").mkdir(parents=True)
    (folder / "src" / "acme" / "__init__.py").touch()
    (folder / "src" / "acme" / "accounts.yaml").write_text(
        "connections:\n  - {name: sales_crm, system: sales_crm}\n", encoding="utf-8"
    )
    (folder / "src" / "acme" / "definitions.py").write_text(DEFINITIONS, encoding="utf-8")
    return folder


def synced(desk: Desk, project: Path, selection: str, options: str = "") -> tuple[str, dict[str, Any]]:
    """Sync a selection; return what the terminal shows and the summary's assets by name."""
    command = f"crm-assets sync '{selection}' {options} --json summary.json"
    done = typed(command, folder=project, environment=desk.environment)
    assets = json.loads((project / "summary.json").read_text(encoding="utf-8"))["assets"]
    return done.stdout, {f"{asset['connection']}.{asset['resource']}": asset for asset in assets}


def test_what_is_downstream_runs_after_its_table_and_is_reported(desk: Desk, project: Path) -> None:
    shown, assets = synced(desk, project, 'key:"raw/sales_crm/accounts"+')
    assert {name: asset["materialized"] for name, asset in assets.items()} == {
        "sales_crm.accounts": True,
        "default.customers_by_city": True,
        "default.by_day": True,
        "default.of_all_days": True,
        "default.by_region": False,
        "default.broken": False,
    }
    yesterday = datetime.now(timezone.utc).date() - timedelta(days=1)
    assert assets["default.by_day"]["rows"] == yesterday.day
    assert assets["default.by_region"]["sentences"] == [
        "not materialized, its partitions are not dates: materialize it in Dagster"
    ]
    assert (assets["default.customers_by_city"]["rows"], assets["default.customers_by_city"]["loaded"]) == (3, None)
    assert "no city is known" in assets["default.broken"]["sentences"][0]
    assert "4 of 6 assets materialized" in shown


def test_each_day_is_a_run_and_the_one_that_fails_is_named(desk: Desk, project: Path) -> None:
    _, assets = synced(desk, project, 'key:"by_day"+', "--from 2026-02-01 --to 2026-02-02")
    (sentence,) = assets["default.by_day"]["sentences"]
    assert sentence.startswith("partition 2026-02-02: ValueError: no such day")
    assert assets["default.of_all_days"]["sentences"] == ["not materialized, an asset it depends on failed"]


def test_what_is_downstream_of_a_failed_table_waits(desk: Desk, project: Path) -> None:
    desk.sandbox.faults.push(Fault("status", status=404, connection="sales_crm", resource="accounts"))
    _, assets = synced(desk, project, 'key:"raw/sales_crm/accounts"+')
    desk.sandbox.faults.clear()
    assert not any(asset["materialized"] for asset in assets.values())
    assert assets["default.customers_by_city"]["sentences"] == ["not materialized, an asset it depends on failed"]


def test_other_commands_find_the_accounts_too(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the project's definitions, not what else the process has made."""
    (tmp_path / "others.yaml").write_text("connections: [{name: elsewhere, system: sales_crm}]\n")
    build_defs(tmp_path / "others.yaml", data_dir=tmp_path / "elsewhere")
    monkeypatch.chdir(project)
    monkeypatch.delitem(sys.modules, "acme", raising=False)
    monkeypatch.delitem(sys.modules, "acme.definitions", raising=False)
    workspace = Workspace(Settings())
    assert [connection.name for connection in workspace.connections] == ["sales_crm"]
    assert workspace.connection("sales_crm").key_prefix == ("raw",)
    (project / "connections.yaml").write_text("connections: [{name: other, system: sales_crm}]\n")
    assert [connection.name for connection in Workspace(Settings()).connections] == ["other"]
