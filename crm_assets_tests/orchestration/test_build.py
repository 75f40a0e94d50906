"""In somebody's own Dagster project: one call or one component, beside definitions of their own."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

import crm_assets

CONNECTIONS = """
connections:
  - {name: sales, system: sales_crm, base_url: "https://crm.acme.test"}
  - {name: web, system: visitor_analytics, params: {}, base_url: "https://web.acme.test"}
"""


@pytest.fixture
def connections_file(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.yaml"
    path.write_text(CONNECTIONS, encoding="utf-8")
    return path


@dg.asset(deps=[["raw", "sales", "accounts"]], automation_condition=dg.AutomationCondition.eager())
def mart() -> None:
    """Built on a table."""


@dg.sensor(job_name="mine")
def alerts() -> None:
    """Has a name that a package should not take."""


def own_definitions() -> dg.Definitions:
    return dg.Definitions(
        assets=[mart],
        jobs=[dg.define_asset_job("mine", selection=[mart])],
        resources={"secrets": object(), "loader": object(), "alerts": object()},
        sensors=[alerts, dg.AutomationConditionSensorDefinition("downstream", target="*")],
        executor=dg.multiprocess_executor,
    )


def test_it_merges_with_definitions_of_the_same_names(connections_file: Path, tmp_path: Path) -> None:
    crm = crm_assets.build_defs(connections_file, data_dir=tmp_path / "data", key_prefix="raw", group="crm")
    merged = dg.Definitions.merge(own_definitions(), crm)
    dg.Definitions.validate_loadable(merged)
    graph = merged.get_repository_def().asset_graph
    assert dg.AssetKey(["raw", "sales", "accounts"]) in graph.get(mart.key).parent_keys
    assert {graph.get(key).group_name for key in graph.materializable_asset_keys if key != mart.key} == {"crm"}
    assert merged.executor is dg.multiprocess_executor


def test_automation_can_be_left_out(connections_file: Path) -> None:
    crm = crm_assets.build_defs(connections_file, automation=False)
    assert not crm.schedules
    assert not crm.sensors
    assert not crm.jobs


def test_every_key_begins_with_the_prefix(connections_file: Path) -> None:
    crm = crm_assets.build_defs(connections_file, key_prefix=["raw", "crm"])
    graph = crm.get_repository_def().asset_graph
    keys = {*graph.get_all_asset_keys(), *(check.asset_key for check in graph.asset_check_keys)}
    assert keys
    assert {tuple(key.path[:2]) for key in keys} == {("raw", "crm")}
    selections = [job.selection.resolve(graph) for job in crm.jobs or [] if hasattr(job, "selection")]
    assert selections
    assert all(key.path[:2] == ["raw", "crm"] for selected in selections for key in selected)


def test_the_names_are_found_by_tools() -> None:
    assert {"CrmComponent", "build_defs"} <= set(dir(crm_assets))
    with pytest.raises(AttributeError, match="no attribute 'build_definitions'"):
        crm_assets.build_definitions  # noqa: B018 - the lookup itself is tested
