"""Bodies of all formats and records of all shapes become exact rows, from a server that sends bytes as they are."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from crm_assets.declarations import Connection
from crm_assets.declarations.connection_overrides import apply_connection
from crm_assets.declarations.loader import parse_system
from crm_assets.declarations.models.endpoint import Endpoint
from crm_assets.extract.fetch import ReadResult
from crm_assets_tests.dialect.rows import read
from crm_assets_tests.loopback import Answer, Asked, loopback

ID_NAME: dict[str, Any] = {"id": "bigint", "name": "text"}


@contextmanager
def serving(pages: list[bytes], content_type: str) -> Iterator[str]:
    """Serve pages by number, the first of them without one; behind the last there are empty ones."""

    def reply(asked: Asked) -> Answer:
        number = int(asked.query.get("page", "1"))
        return Answer(pages[number - 1] if number <= len(pages) else b"[]", headers={"Content-Type": content_type})

    with loopback(reply) as url:
        yield url


def reading_of(
    folder: Path, body: bytes | list[bytes], content_type: str, columns: dict[str, Any], **endpoint: Any
) -> ReadResult:
    """Return the read of a list that is served as these bytes."""
    with serving(body if isinstance(body, list) else [body], content_type) as url:
        whole = {"path": "/things", "paginator": "single_page", "data_selector": "$", **endpoint}
        things = {"name": "things", "primary_key": next(iter(columns)), "columns": columns, "endpoint": whole}
        document = {"name": "api", "client": {"base_url": url}, "resources": [things]}
        system = parse_system(document)
        connection = apply_connection(Connection.model_validate({"name": "api", "system": "api", "_system": system}))
        return read(connection, {}, folder)["things"]


def rows_of(reading: ReadResult) -> list[dict[str, Any]]:
    """Return the rows without what every table has, nulls left out."""
    assert reading.staged is not None, reading.report.reason
    rows = [row for table in reading.staged.tables() for row in table.to_pylist()]
    return [{k: v for k, v in row.items() if v is not None and k != "_read_id"} for row in rows]


ADA_BOB = [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob; ü"}]
LINES = '{"id": 1, "name": "Ada"}\n\n{"id": 2, "name": "Bob; ü"}\r\n'
XML = """<?xml version="1.0"?><c:export xmlns:c="urn:c"><deals total="2">
<deal id="1"><name>Ada</name></deal><deal id="2"><name>Bob; &#252;</name></deal></deals></c:export>"""
OF_XML = {"data_selector": "export.deals.deal", "decoder": "xml"}
SEMICOLONS = {"type": "csv", "delimiter": ";"}
XML_COLUMNS = {"id": {"type": "bigint", "source": "@id"}, "name": "text"}


@pytest.mark.parametrize(
    ("body", "content_type", "endpoint"),
    [
        (LINES.encode(), "application/x-ndjson", {}),
        (LINES.encode(), "text/plain", {"decoder": "jsonl"}),
        (b"id,name\r\n1,Ada\r\n2,Bob; \xc3\xbc\r\n", "text/csv; charset=utf-8", {}),
        (
            b'\xef\xbb\xbfid;name\n1;Ada\n"2";"Bob; \xc3\xbc"\n',
            "text/plain",
            {"decoder": {"type": "csv", "delimiter": ";"}},
        ),
        ("id,name\n1,Ada\n2,Bob; ü\n".encode("cp1252"), "text/csv", {"decoder": {"type": "csv", "encoding": "cp1252"}}),
        (gzip.compress(json.dumps(ADA_BOB).encode(), mtime=0), "application/gzip", {}),
        (gzip.compress(LINES.encode(), mtime=0), "application/gzip", {"decoder": "jsonl"}),
        ("\nid,name\n\n1,Ada\n2,Bob; ü\n".encode("utf-16"), "text/csv", {}),
        ("id,name\n1,Ada\n2,Bob; ü\n".encode("latin-1"), "text/csv; charset=latin-1", {}),
        (gzip.compress(b"id,name\n1,Ada\n2,Bob; \xc3\xbc", mtime=0), "application/octet-stream", {"decoder": "csv"}),
    ],
)
def test_a_body_is_read_in_its_format(body: bytes, content_type: str, endpoint: dict[str, Any], tmp_path: Path) -> None:
    assert rows_of(reading_of(tmp_path, body, content_type, ID_NAME, **endpoint)) == ADA_BOB


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (XML, ADA_BOB),
        ('<export><deals><deal id="7"/></deals></export>', [{"id": 7}]),
        ("<export><deals/></export>", []),
        (
            '<export><deals><deal id="7"><name lang="en">x</name></deal></deals></export>',
            [{"id": 7, "_misfits": '{"name":{"@lang":"en","#text":"x"}}'}],
        ),
    ],
)
def test_xml_becomes_objects_and_lists(body: str, rows: list[Any], tmp_path: Path) -> None:
    assert rows_of(reading_of(tmp_path, body.encode(), "application/xml", XML_COLUMNS, **OF_XML)) == rows


def test_fields_of_csv_keep_digits_line_ends_and_length(tmp_path: Path) -> None:
    long = "x" * 200_000
    body = f'id,name,amount,when,flag\n1,"a\n""b""",0012.3400,2024-01-01,true\n2,{long},,,\n'.encode()
    columns = {**ID_NAME, "amount": "text", "when": "date", "flag": "bool"}
    first, second = rows_of(reading_of(tmp_path, body, "text/csv", columns))
    assert (first["name"], first["amount"], first["flag"]) == ('a\n"b"', "0012.3400", True)
    assert second == {"id": 2, "name": long}


@pytest.mark.parametrize(
    ("body", "endpoint", "problem"),
    [
        (b"id,name\n1,Ada\n2\n", {"decoder": "csv"}, "not valid CSV (line 3 has 1 fields, and the first one has 2)"),
        (b"id,id\n1,2\n", {"decoder": "csv"}, "not valid CSV (two columns have one name"),
        (b'id,name\n1,"Ada', {"decoder": "csv"}, "not valid CSV (unexpected end of data)"),
        (b"\xff\xfe,", {"decoder": "csv"}, "not valid CSV ('utf-8' codec"),
        (b"\xef\xbb\xbf", {"decoder": "csv"}, "not valid CSV (no line has the names of columns)"),
        (b'{"id": 1}\n{"id": 2', {"decoder": "jsonl"}, "not valid JSON"),
        (b"<a><b></a>", OF_XML, "not valid XML (mismatched tag"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', OF_XML, "not valid XML (it defines entities"),
        (gzip.compress(b'[{"id": 1}]', mtime=0)[:-4], {}, "gzip file that is cut short"),
        (b"\x1f\x8bnonsense....", {}, "damaged gzip file"),
    ],
)
def test_a_body_that_is_not_in_its_format_is_refused(
    body: bytes, endpoint: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    reading = reading_of(tmp_path, body, "text/plain", ID_NAME, **endpoint)
    assert reading.staged is None
    assert problem in reading.report.reason


RECORDS: list[Any] = [
    {"id": 1, "status": "open", "n": 1.0, "deep": {"x": True}},
    {"id": 2, "status": None, "n": True},
    {"id": 3, "n": 2, "deep": {"x": 1}},
    {"id": 4, "status": "won", "deep": None},
]
STATUS = {**ID_NAME, "status": "text", "n": "json", "deep": "json"}


@pytest.mark.parametrize(
    ("conditions", "ids"),
    [
        ([{"field": "status", "in": ["open", "won"]}], [1, 4]),
        ([{"field": "status", "in": "open"}], [1]),
        ([{"field": "status", "in": [None]}], [2, 3]),
        ([{"field": "status", "not_in": ["open", None]}], [4]),
        ([{"field": "n", "in": [1]}], [1]),
        ([{"field": "n", "in": [True]}], [2]),
        ([{"field": "deep.x", "in": [True]}], [1]),
        ([{"field": "deep.x", "not_in": [True]}, {"field": "n", "in": [2]}], [3]),
    ],
)
def test_records_that_do_not_meet_the_filter_are_left_out_and_counted(
    conditions: list[Any], ids: list[int], tmp_path: Path
) -> None:
    body = json.dumps({"total": 4, "data": RECORDS}).encode()
    reading = reading_of(
        tmp_path,
        body,
        "application/json",
        STATUS,
        data_selector="data",
        record_filter=conditions,
        paginator={"type": "single_page", "total_records_path": "total"},
    )
    assert [row["id"] for row in rows_of(reading)] == ids
    assert reading.report.filtered == 4 - len(ids)
    assert reading.report.complete


def test_a_filter_changes_nothing_of_how_a_list_ends(tmp_path: Path) -> None:
    pages = [json.dumps([{"id": 10 * page + n, "name": "x"} for n in range(3)]).encode() for page in range(4)]
    paginator = {"type": "page_number", "limit_param": "size", "limit": 3, "end": "short_page"}
    condition = [{"field": "id", "in": [0, 31]}]
    reading = reading_of(tmp_path, pages, "application/json", ID_NAME, paginator=paginator, record_filter=condition)
    assert [row["id"] for row in rows_of(reading)] == [0, 31]
    assert (reading.report.complete, reading.report.filtered) == (True, 10)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b'["a", "b"]', [{"value": "a"}, {"value": "b"}]),
        (b'[1.10, "x", {"value": "y"}]', [{"value": "1.10"}, {"value": "x"}, {"value": "y"}]),
        (b"[]", []),
    ],
)
def test_plain_values_are_records_with_one_field(body: bytes, rows: list[Any], tmp_path: Path) -> None:
    assert rows_of(reading_of(tmp_path, body, "application/json", {"value": "text"})) == rows


NESTED = {
    "account": 7,
    "orders": [
        {"id": 1, "customer": {"name": "Ada"}, "lines": [{"sku": "a", "qty": 1.50}, {"sku": "b"}]},
        {"id": 2, "customer": None, "lines": []},
        {"id": 3, "lines": None},
        {"id": 4, "customer": {"name": "Bob"}, "lines": [{"sku": "c", "order": "own"}]},
    ],
}


def test_records_of_nested_lists_have_fields_of_those_around_them(tmp_path: Path) -> None:
    columns = {"sku": "text", "order": "text", "customer": "text", "account": "bigint", "qty": "json"}
    reading = reading_of(
        tmp_path,
        json.dumps(NESTED).replace("1.5", "1.50").encode(),
        "application/json",
        columns,
        data_selector="orders.*.lines.*",
        outer_fields={"order": "id", "customer": "customer.name", "account": "account"},
    )
    assert rows_of(reading) == [
        {"sku": "a", "order": "1", "customer": "Ada", "account": 7, "qty": "1.50"},
        {"sku": "b", "order": "1", "customer": "Ada", "account": 7},
        {"sku": "c", "order": "own", "customer": "Bob", "account": 7},
    ]


def test_a_nested_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    body = b'{"orders": [{"id": 1, "lines": [{"sku": "a"}]}, {"id": 2}]}'
    shape = {"data_selector": "orders.*.lines.*", "outer_fields": {"order": "id"}}
    columns = {"sku": "text", "order": "bigint"}
    refused = reading_of(tmp_path, body, "application/json", columns, **shape)
    assert "no list at 'orders.*.lines.*'" in refused.report.reason
    (tmp_path / "more").mkdir()
    allowed = reading_of(tmp_path / "more", body, "application/json", columns, **shape, absent_list="empty")
    assert rows_of(allowed) == [{"sku": "a", "order": 1}]


def test_one_object_is_one_row(tmp_path: Path) -> None:
    reading = reading_of(
        tmp_path, b'{"account": {"id": 1, "name": "Ada"}}', "application/json", ID_NAME, data_selector="account"
    )
    assert rows_of(reading) == [{"id": 1, "name": "Ada"}]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"decoder": "yaml"}, "type"),
        ({"decoder": {"type": "csv", "delimiter": "||"}}, "delimiter"),
        ({"decoder": {"type": "csv", "encoding": "klingon"}}, "unknown encoding 'klingon'"),
        ({"record_filter": [{"field": "x"}]}, "give in or not_in"),
        ({"record_filter": [{"field": "x", "in": [1], "not_in": [2]}]}, "give in or not_in"),
    ],
)
def test_what_is_not_a_format_or_a_condition_is_refused(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Endpoint.model_validate({"path": "/x", **keys})


def test_a_file_of_no_lines_has_no_records(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, b"\n", "application/x-ndjson", ID_NAME)
    assert (reading.report.complete, rows_of(reading)) == (True, [])
