"""The exported dbt sources, tried with dbt itself on tables that were really loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from crm_assets.commands.export_dbt import dbt_sources
from crm_assets.declarations.models.connection import Connection
from crm_assets_tests.conftest import Build, only

PROJECT = """
name: acme
profile: acme
model-paths: [models]
"""
PROFILES = """
acme:
  target: dev
  outputs:
    dev: {{type: duckdb, path: "{path}", schema: marts}}
"""
MODEL = """
select customer_id, count(*) as invoices
from {{ source('service_crm', 'invoices') }}
group by customer_id
"""
TRIAL = """
from pathlib import Path

from dagster import AssetKey
from dagster_dbt import DbtProject, dbt_assets
from dbt.cli.main import dbtRunner

for command in (["build"], ["source", "freshness"]):
    result = dbtRunner().invoke(command)
    assert result.success, result.exception
    print("---")

@dbt_assets(manifest=DbtProject(Path.cwd()).manifest_path)
def models(context):
    pass

(upstream,) = models.asset_deps[AssetKey("invoices_by_customer")]
print(upstream.to_user_string())
"""
RESOURCES = ("invoices", "customers", "contacts", "tickets", "contracts")


@pytest.fixture
def project(house: Build, connections: dict[str, Connection], tmp_path: Path) -> Path:
    service = only(connections["service_crm"], *RESOURCES)
    here = house(service)
    assert here.materialize(*(f"service_crm/{resource}" for resource in RESOURCES)).success
    folder = tmp_path / "dbt"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
    (folder / "profiles.yml").write_text(PROFILES.format(path=here.warehouse.database.resolve()), encoding="utf-8")
    (folder / "models" / "sources.yml").write_text(dbt_sources([service]), encoding="utf-8")
    (folder / "models" / "invoices_by_customer.sql").write_text(MODEL, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def programs(pytestconfig: pytest.Config) -> Path:
    """The programs of an environment with dbt: it pins older versions of what is tested here.

    It is kept for the next time: compiling all of dbt takes longer than building the models.
    """
    assert pytestconfig.cache
    folder = pytestconfig.cache.mkdir("dbt") / "venv"
    uv = str(Path(sys.executable).with_name("uv"))
    lock = str(Path(__file__).parents[2] / "requirements-dbt.lock")
    run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder))
    run(uv, "pip", "sync", "--quiet", "--python", str(folder), "--require-hashes", lock)
    return folder / "bin"


def run(*command: str, folder: Path | None = None) -> str:
    environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or each command compiles all of dbt
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_models_are_built_tested_and_joined_in_one_lineage(project: Path, programs: Path) -> None:
    built, looked_at, upstream = run(f"{programs}/python", "-c", TRIAL, folder=project).split("---\n")
    assert "ERROR=0" in built
    assert "Deprecat" not in built
    assert "PASS" in looked_at
    assert upstream == "service_crm/invoices\n"


def test_every_column_has_its_type_and_personal_data_is_marked(connections: dict[str, Connection]) -> None:
    (source,) = yaml.safe_load(dbt_sources([connections["service_crm"]], "crm"))["sources"]
    assert (source["database"], source["schema"]) == ("crm", "service_crm")
    customers = next(table for table in source["tables"] if table["name"] == "customers")
    declared = connections["service_crm"].system.resource("customers").columns
    assert [column["name"] for column in customers["columns"]] == list(declared)
    assert [column["name"] for column in customers["columns"] if "meta" in column] == [
        name for name, column in declared.items() if column.pii
    ]
