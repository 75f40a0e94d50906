"""What the destination would refuse is found before the load: required values, moments beyond the calendar."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from crm_assets.extract.decode.decoder import Decoder
from crm_assets_tests.extract.declared import resource

COLUMNS: dict[str, Any] = {
    "id": {"type": "bigint", "nullable": False},
    "name": {"type": "text", "nullable": False},
    "mail": {"type": "text", "nullable": False, "source": "contact.mail"},
    "tags": {"type": "json", "nullable": False},
    "seen": "timestamp",
}
GOOD = '{"id": 1, "name": "Ada", "contact": {"mail": "a@x"}, "tags": []}'


def decoded(*records: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    with duckdb.connect() as database:
        database.execute("SET timezone = 'UTC'")
        decoder = Decoder(resource(COLUMNS), database)
        rows, rejected = decoder.decode([decoder.inspect(f"[{', '.join(records)}]".encode(), None, {})])
    return rows.to_pylist(), rejected.to_pylist()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('{"id": 7, "name": null, "contact": {"mail": "a"}, "tags": []}', "name is required"),
        ('{"id": 7, "contact": {"mail": "a"}, "tags": []}', "name is required"),
        ('{"id": 7, "name": [1], "contact": {"mail": "a"}, "tags": []}', "name is required"),
        ('{"id": 7, "name": "x", "contact": null, "tags": []}', "mail is required"),
        ('{"id": 7, "name": "x", "tags": []}', "mail is required"),
        ('{"id": 7, "name": "x", "contact": {"mail": "a"}, "tags": null}', "tags is required"),
    ],
)
@pytest.mark.parametrize("beside", [GOOD, '{"id": 1, "name": "Ada", "contact": {"mail": "a@x"}, "tags": [], "x": 1}'])
def test_a_record_without_a_required_value_is_kept_apart(record: str, reason: str, beside: str) -> None:
    rows, rejected = decoded(beside, record)
    assert [row["id"] for row in rows] == [1]
    assert [(entry["key"], entry["reason"].startswith(reason)) for entry in rejected] == [("7", True)]


@pytest.mark.parametrize(
    ("moment", "fits"),
    [
        ("0001-01-01T00:00:00Z", True),
        ("0001-01-01T00:00:00+05:00", False),
        ("9999-12-31T23:59:59.999999Z", True),
        ("9999-12-31T23:59:59-08:00", False),
    ],
)
@pytest.mark.parametrize("more", ["", ', "x": 1'], ids=["fitting", "careful"])
def test_moments_beyond_the_calendar_are_misfits(moment: str, fits: bool, more: str) -> None:
    (row,), _ = decoded(GOOD[:-1] + f', "seen": "{moment}"{more}}}')
    assert (row["seen"] is not None) is fits
    assert (row["_misfits"] is None) is fits
