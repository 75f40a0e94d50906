"""Values that one column holds whole and others in parts: the order of the columns makes no difference."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from crm_assets.declarations import Column, Endpoint, Resource
from crm_assets.extract.decode.decoder import Decoder

ALL_ROWS = {"fields": Column.model_validate("json")}
PARTS = {
    "created": Column(type="timestamp", format="epoch_s", source="fields.created.timestamp"),
    "name": Column(type="text", source="fields.name"),
}
RECORDS: list[dict[str, Any]] = [
    {"id": 1, "fields": {"created": {"timestamp": 1755113219, "value": "Yesterday"}, "name": "Ada", "tags": []}},
    {"id": 2, "fields": {"created": None}},
    {"id": 3, "fields": None},
    {"id": 4, "fields": []},
    {"id": 5},
]


def decoded(columns: dict[str, Column]) -> list[dict[str, Any]]:
    resource = Resource(
        name="items",
        endpoint=Endpoint(path="/items", data_selector="items", paginator="single_page"),
        primary_key="id",
        columns={"id": Column.model_validate("bigint"), **columns},
    )
    with duckdb.connect() as database:
        decoder = Decoder(resource, database)
        rows, rejected = decoder.decode([decoder.inspect(json.dumps(RECORDS).encode(), None, {})])
    assert not rejected.num_rows
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


@pytest.mark.parametrize("columns", [{**ALL_ROWS, **PARTS}, {**PARTS, **ALL_ROWS}], ids=["whole first", "parts first"])
def test_both_are_filled_and_nothing_is_left_over(columns: dict[str, Column]) -> None:
    rows = decoded(columns)
    assert [row["fields"] and json.loads(row["fields"]) for row in rows] == [record.get("fields") for record in RECORDS]
    assert [row["name"] for row in rows] == ["Ada", None, None, None, None]
    assert [row["created"] and row["created"].timestamp() for row in rows] == [1755113219, None, None, None, None]
    assert [row["_extra"] for row in rows] == [None] * 5
    assert [row["_misfits"] for row in rows] == [None] * 5
