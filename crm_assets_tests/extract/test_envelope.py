"""Page bodies: the record list is found as declared, or the answer is refused with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.client import Answer
from crm_assets.extract.paging.response_body import ResponseBody, open_body
from crm_assets_tests.extract.declared import endpoint


def opened(body: Any, content_type: str = "application/json", **keys: Any) -> ResponseBody:
    """Open a body given as bytes, as text, or as what is to be sent as JSON."""
    sent = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return open_body(Answer(sent, content_type), endpoint(**keys))


def records(body: Any, selector: Any, **keys: Any) -> list[Any]:
    """Return the decoded record list a selector finds."""
    found: list[Any] = json.loads(opened(body, data_selector=selector, **keys).records)
    return found


@pytest.mark.parametrize(
    ("selector", "body", "found"),
    [
        ("data", {"data": [1, 2]}, [1, 2]),
        ("data", {"data": []}, []),
        ("data", '{ "data" : [ ] }', []),
        ("data.items", {"data": {"items": [{"a": 1}], "more": 0}}, [{"a": 1}]),
        (["data", "items"], {"data": {"items": [1]}}, [1]),
        ('["a.b"]["c d"]', {"a.b": {"c d": [1]}}, [1]),
        ("$", [1, 2], [1, 2]),
        ([], [1, 2], [1, 2]),
        ("$", "\n [ 1 , 2 ] \n", [1, 2]),
        ("Results.*", {"Results": [1, 2]}, [1, 2]),
        ("Results.*", {"Results": {"7": {"id": 7}, "8": {"id": 8}}}, [{"id": 7}, {"id": 8}]),
        ("Results.*", {"Results": {}}, []),
        ("Results.*", {"Results": []}, []),
        ("[*].Items[*]", [{"Items": [1, 2]}, {"Items": []}, {"Items": [3]}], [1, 2, 3]),
        ("[*].Items[*]", [], []),
        ("*.Items", {"a": {"Items": [1]}, "b": {"Items": [2]}}, [1, 2]),
        ("[*].Items.*", [{"Items": {"x": 1}}, {"Items": [2]}], [1, 2]),
        ("data.0.items", {"data": [{"items": [1]}, {"items": [2]}]}, [1]),
        ("data.-1.items", {"data": [{"items": [1]}, {"items": [2]}]}, [2]),
    ],
)
def test_the_selector_finds_the_list(selector: Any, body: Any, found: list[Any]) -> None:
    assert records(body, selector) == found


@pytest.mark.parametrize(
    ("selector", "body", "problem"),
    [
        ("data", {"Results": [], "meta": {}}, "has no 'data' (data_selector); it contains: Results, meta"),
        ("data", {}, "it contains: nothing"),
        ("data", {"Data": []}, "has no 'data'"),
        ("data", {"data": 1}, "found a single value"),
        ("data", {"data": "none"}, "found a text"),
        ("data", {"data": False}, "found a single value"),
        ("data", [1], "it contains: a list"),
        ("data", '"OK"', "it contains: a text"),
        ("data", "42", "it contains: a single value"),
        ("data", "null", "it contains: null"),
        ("$", 5, "expected a list at '$' of the answer, found a single value"),
        ("data.items", {"data": {"things": []}}, "has no 'data.items'"),
        ("data.items", {"data": [{"items": []}]}, "has no 'data.items'"),
        ("[*].Items[*]", [{"Items": [1]}, {"Things": [2]}], "has no '*.Items.*'"),
        ("[*].Items[*]", [{"Items": [1]}, {"Items": 2}], "expected a list"),
        ("data.5.items", {"data": [{"items": []}]}, "has no 'data.5.items'"),
    ],
)
def test_an_answer_without_the_list_is_no_empty_list(selector: Any, body: Any, problem: str) -> None:
    with pytest.raises(ReadError) as refusal:
        opened(body, data_selector=selector)
    assert problem in refusal.value.problem


@pytest.mark.parametrize("body", ["<html></html>", "  \n<?xml version='1.0'?><a/>", b"<", "<!doctype html>"])
def test_a_web_page_is_refused_whatever_it_calls_itself(body: Any) -> None:
    with pytest.raises(ReadError, match="web page instead of JSON; check base_url"):
        opened(body)


@pytest.mark.parametrize("body", ["Service unavailable", "  down"])
def test_text_that_calls_itself_a_web_page_is_refused(body: str) -> None:
    with pytest.raises(ReadError, match="web page instead of JSON"):
        opened(body, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json; charset=utf-8", "application/vnd.api+json", "text/plain", "text/html; charset=UTF-8"],
)
def test_json_by_another_name_is_read(content_type: str) -> None:
    assert opened({"data": [1]}, content_type).records == b"[1]"


@pytest.mark.parametrize("body", ["", "  \n\t "])
def test_nothing_is_no_empty_list(body: str) -> None:
    with pytest.raises(ReadError, match="empty body instead of JSON"):
        opened(body)


_PAGE = json.dumps(
    {"data": [{"id": "1", "t": 'é"\\\n', "n": [1, -2.5e3, None, True]}, {"id": "2"}], "meta": {"next": "x"}},
    ensure_ascii=False,
).encode()


@pytest.mark.parametrize("length", range(1, len(_PAGE)))
def test_a_page_cut_short_anywhere_is_refused(length: int) -> None:
    with pytest.raises(ReadError, match=r"not valid JSON .*cut short"):
        opened(_PAGE[:length])


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": [] } lookback_days',
        b'{"data": [1,]}',
        b"{'data': []}",
        b'{"data": [NaN]}',
        b'{"data": [01]}',
        b'{"data": ["\t"]} x',
        b'{"data": []}{"data": []}',
        '{"data": ["Grüße"]}'.encode("latin-1"),
        '{"data": []}'.encode("utf-16"),
        b'{"data": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
    ],
)
def test_what_is_no_json_in_utf_8_is_refused(body: bytes) -> None:
    with pytest.raises(ReadError, match="not valid JSON"):
        opened(body)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert opened(b"\xef\xbb\xbf" + b'{"data": [1]}').records == b"[1]"


def test_an_error_inside_a_200_answer_is_an_error() -> None:
    body = {"ErrorCode": "9k2m4x7qv1z8b3tc", "ErrorDescription": "Invalid credentials.", "data": []}
    with pytest.raises(ReadError, match="answered 200 but reports an error: 9k2m4x7qv1z8b3tc"):
        opened(body, error_path="ErrorCode")
    assert opened({"ErrorCode": None, "data": [1]}, error_path="ErrorCode").records == b"[1]"
    assert records([1], "$", error_path="ErrorCode") == [1]


def test_records_may_be_wrapped_or_not() -> None:
    body = {"data": [{"thing": {"id": 1}}, {"id": 2}, {"thing": None}, 7]}
    assert records(body, "data", unwrap="thing") == [{"id": 1}, {"id": 2}, None, 7]


@pytest.mark.parametrize(
    ("path", "fact"),
    [
        (("meta", "total"), 7),
        (("meta", "next"), None),
        (("meta", "absent"), None),
        (("absent", "deeper"), None),
        (("meta", "list", "1"), "b"),
        (("meta", "list", "-1"), "b"),
        (("meta", "list", "2"), None),
        (("meta", "total", "deeper"), None),
        (None, None),
    ],
)
def test_facts_are_read_beside_the_records(path: tuple[str, ...] | None, fact: Any) -> None:
    envelope = opened({"meta": {"total": 7, "next": None, "list": ["a", "b"]}, "data": []})
    assert envelope.fact(path) == fact


def test_companions_are_kept_where_they_are_joined_in() -> None:
    include = {"on": "place.id", "field": "place"}
    assert opened({"data": [], "included": [{"id": 1}]}).companions is None
    assert opened({"data": [], "included": [{"id": 1}]}, include=include).companions == b'[{"id": 1}]'
    assert opened({"data": []}, include=include).companions == b"[]"


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(_ANY, max_size=4), st.booleans(), st.sampled_from([None, 1]))
def test_records_come_out_as_they_went_in(members: list[Any], ascii_only: bool, indent: int | None) -> None:
    body = json.dumps({"data": members, "z": 1}, ensure_ascii=ascii_only, indent=indent)
    assert records(body, "data") == members
    assert records(body, "data.*") == members


@pytest.mark.parametrize(
    ("selector", "body"),
    [
        ("data", {"data": None}),
        ("data", {"data": {}}),
        ("data", {"total": 0}),
        ("data", {"meta": {"total": "0", "pages": 0}}),
        ("data", []),
        ("data.items", {"data": None}),
        ("data.items", {"data": []}),
        ("Results.*", {"Results": None}),
        ("$", "null"),
    ],
)
def test_how_servers_write_an_empty_list(selector: str, body: Any) -> None:
    assert records(body, selector) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"data": None, "total": 3}, "reports 3 records"),
        ({"data": None, "has_more": True}, "says that more follow"),
        ({"data": None, "errors": [{"message": "bad key"}], "error": "bad key"}, "reports an error: bad key"),
        ({"data": None, "status": "error", "message": "please wait"}, "reports the status 'error'"),
        ({"data": None, "success": False}, "says that it did not succeed"),
        ({"data": {"1": {"id": 1}, "2": {"id": 2}}}, "found an object of objects"),
        ({"data": [], "error": None}, ""),
        ({"data": [], "error": {"code": 0}, "errors": [], "success": True}, ""),
        ({"data": [], "error": "OK", "status": "ok"}, ""),
        ({"data": [], "code": 0, "status": 200, "errno": "0", "query": {"code": 404}}, ""),
        ({"data": [], "code": 20000}, ""),
        ({"data": [], "errors": [{"message": "over quota"}]}, "the list is empty, and the answer reports an error"),
        ({"data": [], "status": "error"}, "the list is empty, and the answer reports the status 'error'"),
        ({"data": [], "code": 401, "msg": "no"}, "the list is empty, and the answer reports the code 401"),
        ({"data": [], "status": {"http_code": "503"}}, "the list is empty, and the answer reports the http_code 503"),
        ({"data": [], "errcode": -1}, "the list is empty, and the answer reports the errcode -1"),
        ({"total": 3}, "has no 'data'"),
        ({"total": 0, "error": "bad key"}, "has no 'data' .* and reports an error: bad key"),
        ({"message": "please wait"}, "has no 'data'"),
    ],
)
def test_a_list_that_is_missing_for_another_reason(body: Any, problem: str) -> None:
    if not problem:
        assert records(body, "data") == []
        return
    with pytest.raises(ReadError, match=problem):
        opened(body)


def test_an_object_without_the_list_may_have_lost_it() -> None:
    with pytest.raises(ReadError, match=r"has no 'data\.items'"):
        records({"data": {}}, "data.items")
    assert records({"data": {}}, "data.items", absent_list="empty") == []


def test_an_absent_list_is_empty_where_that_is_declared() -> None:
    assert records({"message": "none"}, "data", absent_list="empty") == []
    with pytest.raises(ReadError, match="reports an error: bad key"):
        opened({"error": "bad key"}, absent_list="empty")


def test_no_content_is_an_empty_list() -> None:
    assert open_body(Answer(b"", "", status=204), endpoint()).records == b"[]"


@pytest.mark.parametrize("fine", [False, 0, "", "0", "false", [], {}, None])
def test_a_field_for_errors_may_always_be_there(fine: Any) -> None:
    assert opened({"error": fine, "data": [1]}, error_path="error").records == b"[1]"


@pytest.mark.parametrize("bad", [True, 1, "invalid key", ["x"], {"code": 0}])
def test_whatever_else_is_there_is_an_error(bad: Any) -> None:
    with pytest.raises(ReadError, match="answered 200 but reports an error"):
        opened({"error": bad, "data": [1]}, error_path="error")


def test_a_number_beyond_all_measure_is_named() -> None:
    with pytest.raises(ReadError, match="'total' cannot be read"):
        opened('{"data": [], "total": 1e999}').fact(("total",))
