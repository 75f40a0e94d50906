"""Days asked for on either side of a window."""

from __future__ import annotations

import pytest

from crm_assets.spec import SpecError
from crm_assets_tests.spec.desk import Desk

WINDOW = {"field": "created_at", "params": {"since": "{window_start}"}, "margin": 1}


def test_a_window_may_have_a_margin(desk: Desk) -> None:
    desk.declare(resources__0__window=WINDOW)
    window = desk.system().resource("accounts").window
    assert window is not None
    assert window.margin == 1


def test_rows_that_count_the_days_asked_for_have_none(desk: Desk) -> None:
    desk.declare(resources__0__window={**WINDOW, "aggregate": True})
    with pytest.raises(SpecError, match="margin would change what aggregate rows count"):
        desk.system()
