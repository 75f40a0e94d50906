"""A forked command is what the installed program is."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from crm_assets_tests.forks import crm_assets
from crm_assets_tests.reliability.killed_runs import HEAVY

PROGRAM = str(Path(sys.executable).with_name("crm-assets"))


@pytest.mark.parametrize("words", [["plan"], ["plan", "--nope"]])
def test_it_prints_and_ends_as_the_installed_program(tmp_path: Path, words: list[str]) -> None:
    environment = {"COLUMNS": "80", "HOME": str(tmp_path)}
    real = subprocess.run(
        [PROGRAM, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    fork = crm_assets(words, folder=tmp_path, environment=environment)
    assert (fork.returncode, fork.stdout, fork.stderr) == (real.returncode, real.stdout, real.stderr)


def test_what_is_imported_beforehand_is_there() -> None:
    assert [name for name in HEAVY if not find_spec(name)] == []


def test_it_has_nothing_of_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_ASSETS_CONNECTIONS", "of the parent.yaml")
    assert "of the parent" not in crm_assets(["plan"], folder=tmp_path, environment={}).stderr
    own = crm_assets(["plan"], folder=tmp_path, environment={"CRM_ASSETS_CONNECTIONS": "own.yaml"})
    assert "own.yaml: file not found" in own.stderr
    crm_assets(["init"], folder=tmp_path, environment={})
    assert (tmp_path / "connections.yaml").exists()
