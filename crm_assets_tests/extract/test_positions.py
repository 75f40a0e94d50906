"""Positions in lists, quoted keys, and columns whose source no record contains."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from crm_assets.extract.decode.decoder import Decoder
from crm_assets_tests.extract.declared import resource

ID = {"id": {"type": "bigint", "nullable": False}}


def decoded(columns: dict[str, Any], *pages: list[Any]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    with duckdb.connect() as database:
        database.execute("SET timezone = 'UTC'")
        decoder = Decoder(resource({**ID, **columns}), database)
        rows: list[dict[str, Any]] = []
        for page in pages:
            rows += decoder.decode([decoder.inspect(json.dumps(page).encode(), None, {})])[0].to_pylist()
    return rows, decoder.absent.columns


@pytest.mark.parametrize(
    ("source", "record", "value", "extra", "misfits"),
    [
        ("contact.mail.0.text", {"contact": {"mail": [{"text": "a"}]}}, "a", None, None),
        ("contact.mail[0].text", {"contact": {"mail": [{"text": "a"}]}}, "a", None, None),
        ("contact.mail.-1.text", {"contact": {"mail": [{"text": "a"}]}}, "a", None, None),
        ("mail.0", {"mail": ["a"]}, "a", None, None),
        ("mail.0", {"mail": []}, None, None, None),
        ("mail.0", {"mail": None}, None, None, None),
        ("mail.0", {}, None, None, None),
        ("mail.-1", {"mail": ["a", "b"]}, "b", {"mail": ["a", "b"]}, None),
        ("mail.0", {"mail": ["a", "b"]}, "a", {"mail": ["a", "b"]}, None),
        ("mail.0.text", {"mail": [{"text": "a", "k": 1}]}, "a", {"mail": [{"text": "a", "k": 1}]}, None),
        ("mail.0.text", {"mail": [{"k": None}, 2]}, None, {"mail": [{"k": None}, 2]}, None),
        ("mail.0.text", {"mail": ["a"]}, None, None, {"mail.0": "a"}),
        ("mail.0.text", {"mail": "a"}, None, None, {"mail": "a"}),
        ("mail.0.text", {"mail": [{"text": [1]}]}, None, None, {"value": [1]}),
        ("custom.123", {"custom": {"123": "a"}}, "a", None, None),
        ("custom.123", {"custom": {"123": "a", "4": 1}}, "a", {"custom": {"4": 1}}, None),
        (
            "custom.1.list.0.x",
            {"custom": {"1": {"list": [{"x": "a", "y": 1}]}}},
            "a",
            {"custom": {"1": {"list": [{"x": "a", "y": 1}]}}},
            None,
        ),
        ("a.0.b.1.c", {"a": [{"b": [0, {"c": "x"}]}]}, "x", {"a": [{"b": [0, {"c": "x"}]}]}, None),
        ("a.0.0.c", {"a": [{"0": {"c": "x", "d": 1}}]}, "x", {"a": [{"0": {"c": "x", "d": 1}}]}, None),
        ('custom."T-Shirt size"', {"custom": {"T-Shirt size": "XL"}}, "XL", None, None),
        ("custom['Kundennr.']", {"custom": {"Kundennr.": "7"}}, "7", None, None),
        ('"Display Name"', {"Display Name": "Ada"}, "Ada", None, None),
        ("custom.'a.b'.c", {"custom": {"a.b": {"c": "x"}}}, "x", None, None),
    ],
)
@pytest.mark.parametrize("more", [{}, {"unknown": 1}], ids=["alone", "with an unknown field"])
def test_a_source_is_found_and_the_rest_is_kept(
    source: str, record: dict[str, Any], value: str | None, extra: Any, misfits: Any, more: dict[str, int]
) -> None:
    (row,), _ = decoded({"value": {"type": "text", "source": source}}, [{"id": 1, **record, **more}])
    assert row["value"] == value
    assert json.loads(row["_extra"] or "{}") == {**(extra or {}), **more}
    assert json.loads(row["_misfits"] or "{}") == (misfits or {})


def test_a_list_read_whole_leaves_nothing_over() -> None:
    columns = {"mail": "json", "first": {"type": "text", "source": "mail.0.text"}}
    (row,), _ = decoded(columns, [{"id": 1, "mail": [{"text": "a", "k": 1}, {"text": "b"}]}])
    assert (row["first"], row["_extra"], row["_misfits"]) == ("a", None, None)
    assert json.loads(row["mail"]) == [{"text": "a", "k": 1}, {"text": "b"}]


def test_columns_in_no_record_are_counted_and_those_that_are_null_are_there() -> None:
    columns = {
        "typo": {"type": "text", "source": "nmae"},
        "elsewhere": {"type": "text", "source": "contact.name"},
        "empty": "text",
        "umlaut": "text",
        "late": "text",
        "misfit": "bigint",
        "position": {"type": "text", "source": "mail.3"},
    }
    first = [{"id": n, "name": "x", "empty": None, "misfit": "x", "mail": ["a"]} for n in range(3)]
    rows, absent = decoded(columns, first, [{"id": 9, "late": "now"}])
    assert len(rows) == 4
    assert absent == dict.fromkeys(["typo", "elsewhere", "umlaut", "position"], 4)


def test_a_read_without_records_has_no_absent_columns() -> None:
    assert decoded({"name": "text"}, []) == ([], {})
