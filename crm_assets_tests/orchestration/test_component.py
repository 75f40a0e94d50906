"""The component in a ``dg`` project that is made on the spot, with the tools a user has."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from crm_assets_tests.forks import program

PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "acme"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "acme"
"""
DEFINITIONS = """
from pathlib import Path

import dagster as dg


@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("acme")
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (folder / "acme" / "defs").mkdir(parents=True)
    (folder / "acme" / "__init__.py").touch()
    (folder / "acme" / "defs" / "__init__.py").touch()
    (folder / "acme" / "definitions.py").write_text(DEFINITIONS, encoding="utf-8")
    return folder


def dg(project: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CRM_ASSETS_")}
    own = {"PYTHONPATH": str(project), "VIRTUAL_ENV": str(Path(sys.executable).parents[1])}
    done = program(["dg", *arguments], folder=project, environment={**environment, **own}, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_listed_scaffolded_checked_and_loaded(project: Path) -> None:
    assert "crm_assets.CrmComponent" in dg(project, "list", "components")
    dg(project, "scaffold", "defs", "crm_assets.CrmComponent", "crm", "--name", "hq", "--system", "visitor_analytics")
    assert "name: hq" in (project / "acme/defs/crm/connections.yaml").read_text(encoding="utf-8")
    attributes = "type: crm_assets.CrmComponent\nattributes: {connections: connections.yaml, key_prefix: [raw]}\n"
    (project / "acme/defs/crm/defs.yaml").write_text(attributes, encoding="utf-8")
    dg(project, "check", "yaml")
    dg(project, "check", "defs")
    listed = json.loads(dg(project, "list", "defs", "--json"))
    keys = {asset["asset_key"] for asset in listed["assets"]}
    assert {"raw/hq/accounts", "raw/hq/leads", "raw/hq/visits"} <= keys


def test_a_wrong_attribute_is_named_with_its_line(project: Path) -> None:
    folder = project / "acme/defs/wrong"
    folder.mkdir()
    (folder / "defs.yaml").write_text(
        "type: crm_assets.CrmComponent\nattributes:\n  conections: accounts.yaml\n", encoding="utf-8"
    )
    try:
        with pytest.raises(AssertionError, match="conections"):
            # By itself: of several files of one component, dg checks the one that the file system lists last.
            dg(project, "check", "yaml", "acme/defs/wrong")
    finally:
        (folder / "defs.yaml").unlink()
        folder.rmdir()
