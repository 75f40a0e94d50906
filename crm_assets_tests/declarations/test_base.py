"""Templates and layers: filling, filling URLs safely, laying one mapping over another."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_assets.declarations.models.base import deep_merge, fill, fill_url, placeholders


def test_a_text_that_is_one_placeholder_keeps_the_type_of_the_value() -> None:
    template = {"ids": ["{id}"], "text": "no {id} of {n}", "deep": {"n": "{n}", "other": "{other}"}, "flag": True}
    assert fill(template, {"id": 7, "n": 2.5}) == {
        "ids": [7],
        "text": "no 7 of 2.5",
        "deep": {"n": 2.5, "other": "{other}"},
        "flag": True,
    }


def test_placeholders_are_found_at_every_depth() -> None:
    assert placeholders({"a": "{x}/{y}", "b": [{"c": "{z}"}], "d": 3}) == ("x", "y", "z")


def test_a_value_is_not_filled_again() -> None:
    assert fill("{a}{b}", {"a": "{b}", "b": 1}) == "{b}1"


@given(st.text(st.characters(max_codepoint=127), min_size=1).filter(lambda text: text not in (".", "..")))
def test_a_value_never_leaves_its_segment_of_the_url(value: str) -> None:
    url = fill_url("https://api.mycrm.test/accounts/{id}/leads", {"id": value})
    parts = urlsplit(url)
    assert (parts.netloc, parts.query, parts.fragment) == ("api.mycrm.test", "", "")
    assert [unquote(segment) for segment in parts.path.split("/")] == ["", "accounts", value, "leads"]


@given(st.text(min_size=1, alphabet="abc./:@?#\\%\n").filter(lambda text: text not in (".", "..")))
def test_a_value_never_leaves_its_label_of_the_host(value: str) -> None:
    assert urlsplit(fill_url("https://{sub}.mycrm.test/v1", {"sub": value})).netloc.endswith(".mycrm.test")


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_value_that_changes_the_path_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be used for \{id\} in /accounts/\{id\}/leads"):
        fill_url("/accounts/{id}/leads", {"id": value})


def test_a_url_keeps_the_placeholders_nobody_fills_yet() -> None:
    assert fill_url("/{team}/accounts/{account_id}", {"team": "a b"}) == "/a%20b/accounts/{account_id}"


@pytest.mark.parametrize(
    ("under", "over", "result"),
    [
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": None}}, {"a": {"x": 1}}),
        ({"a": {"x": 1}}, {"a": None}, {}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": None}, {}, {"a": None}),
        ({"json": {"a": 1}}, {"json": {"b": None}}, {"json": {"a": 1}}),
        (
            {"paginator": {"type": "page_number", "end": "empty_page"}},
            {"paginator": {"type": "json_link", "next_url_path": "next", "end": None}},
            {"paginator": {"type": "json_link", "next_url_path": "next"}},
        ),
        (
            {"paginator": {"type": "page_number", "end": "empty_page"}},
            {"paginator": {"type": "page_number", "limit": 5}},
            {"paginator": {"type": "page_number", "end": "empty_page", "limit": 5}},
        ),
        (
            {"paginator": {"type": "page_number", "end": "empty_page"}},
            {"paginator": {"end": "short_page"}},
            {"paginator": {"type": "page_number", "end": "short_page"}},
        ),
        ({"paginator": {"type": "page_number"}}, {"paginator": "single_page"}, {"paginator": "single_page"}),
    ],
)
def test_merging(under: object, over: object, result: object) -> None:
    assert deep_merge(under, over) == result


@given(st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner)))
def test_laying_a_document_over_itself_or_over_nothing_changes_nothing(document: object) -> None:
    assert deep_merge(document, document) == document
    assert deep_merge({}, document) == document
