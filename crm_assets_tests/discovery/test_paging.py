"""How lists page: found by trying, and read to the last record with what was found."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from crm_assets.declarations.connections import Connection
from crm_assets.declarations.loader import parse_system, validated
from crm_assets.extract.discovery.asker import Asker
from crm_assets.extract.discovery.look import Look, Looker
from crm_assets.extract.first_page import FirstPageReader
from crm_assets.extract.page_reader import open_connection
from crm_assets.extract.shared_state import FileState
from crm_assets_tests.dialect.small_api import SmallApi


def looked(url: str, folder: Path) -> Look:
    system = parse_system({"name": "desk", "client": {"base_url": url}, "resources": [{"name": "rows"}]})
    connection = validated(Connection, {"name": "desk", "system": "desk", "_system": system})

    async def look() -> Look:
        async with open_connection(connection, {}, FileState(folder).rate_limiter(connection)) as opened:
            looker = Looker(connection, opened, Asker(opened.client, 10), FirstPageReader(connection, opened, 1, 10))
            return await looker.look(system.resource("rows"))

    return asyncio.run(look())


PAGES = {"by": "page", "param": "page"}
OFFSETS = {"by": "offset", "param": "offset", "size_param": "limit"}


@pytest.mark.parametrize(
    ("route", "paginator"),
    [
        ({"at": "data"}, "single_page"),
        ({"at": "data", "paging": PAGES}, {"type": "page_number", "page_param": "page", "end": "empty_page"}),
        (
            {"at": "data", "paging": {**PAGES, "facts": {"meta.total_pages": "pages"}}},
            {
                "type": "page_number",
                "page_param": "page",
                "end": "total_pages",
                "total_pages_path": "meta.total_pages",
            },
        ),
        (
            {"at": "data", "paging": {**PAGES, "base": 0}},
            {"type": "page_number", "page_param": "page", "start_from_page": 0, "end": "empty_page"},
        ),
        (
            {"at": "data", "paging": {**OFFSETS, "facts": {"total": "records"}}},
            {
                "type": "offset",
                "offset_param": "offset",
                "limit_param": "limit",
                "limit": 2,
                "end": "total_records",
                "total_records_path": "total",
            },
        ),
    ],
)
def test_a_list_is_read_to_its_last_record(route: dict[str, Any], paginator: object, tmp_path: Path) -> None:
    with SmallApi({"/rows": {"rows": 5, **route}}) as api:
        look = looked(api.url, tmp_path)
    assert look.found["endpoint"] == {"data_selector": "data", "paginator": paginator}
    assert look.found["primary_key"] == "id"
    assert look.records == 5
    assert len(api.asked) < 30


def test_a_parameter_that_filters_is_not_taken_for_a_page(tmp_path: Path) -> None:
    rows = [{"id": n, "page": 9} for n in range(3)]

    class Filtering(SmallApi):
        def answer(self, asked: Any) -> Any:
            kept = [row for row in rows if "page" not in asked.query or str(row["page"]) == asked.query["page"]]
            return 200, {}, kept

    with Filtering({}) as api:
        look = looked(api.url, tmp_path)
    assert look.found["endpoint"]["paginator"] == "single_page"
    assert look.records == 3
    assert any("in one answer" in remark for remark in look.remarks)


def test_hostile_names_and_counts_make_no_columns_that_cannot_be(tmp_path: Path) -> None:
    row = {
        "id": 1,
        "*": 1,
        "a.b": "x",
        "_extra": "x",
        "{since}": "x",
        "N" * 300: 1,
        "n" * 300: 1,
        "": "x",
        "by_id": {"17": {"x": 1}},
        "huge": 2**70,
        "# c\n": "x",
    }
    headers = {"X-RateLimit-Limit": "-5", "RateLimit-Policy": "0;w=60"}
    with SmallApi({"/rows": {"body": [row, {**row, "id": 2, "huge": None}], "headers": headers}}) as api:
        look = looked(api.url, tmp_path)
    document = {"name": "desk", "client": {"base_url": api.url}, "resources": [{"name": "rows", **look.found}]}
    columns = parse_system(document).resource("rows").columns
    assert columns["by_id"].type.value == "json"
    assert columns["huge"].type.value == "text"
    assert columns["a_b"].wire_path("a_b") == ("a.b",)
    assert look.rate_limit is None
    assert not any("RateLimit" in remark for remark in look.remarks)


def test_an_empty_list_is_said_to_be_empty(tmp_path: Path) -> None:
    with SmallApi({"/rows": {"body": {"items": []}}}) as api:
        look = looked(api.url, tmp_path)
    assert look.found["endpoint"]["data_selector"] == "items"
    assert "columns" not in look.found
    assert any("the list is empty" in remark for remark in look.remarks)
