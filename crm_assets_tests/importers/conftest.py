"""What the importers' tests share: a stranger's Python in a process of its own, forked off one with dlt in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crm_assets.declarations.importers.dlt_source import captured
from crm_assets_tests.forks import python_module


@pytest.fixture(autouse=True)
def _python_that_has_imported_dlt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``python -m`` begin where dlt is imported already; a command that is typed in a test starts a real one."""

    def run(command: Sequence[str], *, env: dict[str, str], timeout: float, **_: Any) -> Any:
        python, _, module, *arguments = command
        assert python == sys.executable
        return python_module(module, arguments, folder=Path.cwd(), environment=env, timeout=timeout)

    started = SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired)
    monkeypatch.setattr(captured, "subprocess", started)
