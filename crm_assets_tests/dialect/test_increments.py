"""Increments as dlt spells them: in which format later reads send times, and how early they start."""

from __future__ import annotations

from typing import Any

import pytest

from crm_assets.declarations.spellings.hints import OPEN
from crm_assets.declarations.spellings.increments import canonical_incremental


def increment(initial_value: Any, *, lag: int | None = None, **resource: Any) -> dict[str, Any]:
    spelled = {"cursor_path": "at", "start_param": "since", "initial_value": initial_value}
    spelled |= {} if lag is None else {"lag": lag}
    merged = {"name": "posts", "primary_key": "id", "endpoint": {"path": "/posts", "incremental": spelled}}
    found: dict[str, Any] = canonical_incremental({**merged, OPEN: False, **resource})["incremental"]
    return found


@pytest.mark.parametrize(
    ("initial_value", "format_"),
    [
        ("2024-01-02T00:00:00Z", "%Y-%m-%dT%H:%M:%SZ"),
        ("2024-01-02 00:00:00", "%Y-%m-%d %H:%M:%S"),
        ("2024-01-02T00:00", "%Y-%m-%dT%H:%M"),
        ("2024-01-02T00:00:00.000Z", "iso"),
        ("2024-01-02T00:00:00+02:00", "iso"),
        ("2024-01-02", "date"),
        (1704153600000, "epoch_ms"),
    ],
)
def test_times_are_sent_as_the_first_one_is_written(initial_value: Any, format_: str) -> None:
    assert increment(initial_value)["format"] == format_


def test_an_early_start_is_what_costs_nothing() -> None:
    assert "lookback" not in increment("2024-01-02T00:00:00Z"), "the default is for late and equal times"
    assert increment("2024-01-02T00:00:00Z", primary_key=())["lookback"] == "0s"
    assert increment("2024-01-02T00:00:00Z", write_disposition="append")["lookback"] == "0s"
    assert increment("2024-01-02T00:00:00Z", lag=90)["lookback"] == "90s"
    assert increment("2024-01-02", lag=3)["lookback"] == "3d"
