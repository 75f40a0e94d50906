"""Days asked for on either side of a window."""

from __future__ import annotations

import pytest

from crm_assets.declarations import SpecError
from crm_assets_tests.declarations.desk import Desk

WINDOW = {"field": "created_at", "params": {"since": "{window_start}"}, "padding_days": 1}


def test_a_window_may_have_a_margin(desk: Desk) -> None:
    desk.declare(resources__0__window=WINDOW)
    window = desk.system().resource("accounts").window
    assert window is not None
    assert window.padding_days == 1


def test_rows_that_count_the_days_asked_for_have_none(desk: Desk) -> None:
    desk.declare(resources__0__window={**WINDOW, "per_partition": True})
    with pytest.raises(SpecError, match="padding_days would change what per_partition rows count"):
        desk.system()
