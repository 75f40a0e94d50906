"""Fixtures of the dialect's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_assets_tests.declarations.desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.delenv("CRM_ASSETS_SANDBOX", raising=False)
    desk = Desk(tmp_path)
    desk.declare()
    return desk
