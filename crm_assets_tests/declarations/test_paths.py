"""Paths: what people write is read, what is printed reads back the same, what is no path is refused."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crm_assets.declarations.json_path import WILDCARD, dig, parse_path, path_text

SEGMENTS = st.one_of(st.just(WILDCARD), st.text(max_size=8), st.text(alphabet="ab.[]\"'\\ $*0-", max_size=6))


@given(st.lists(SEGMENTS, max_size=5).map(tuple))
def test_what_is_printed_reads_back_the_same(segments: tuple[str, ...]) -> None:
    assert parse_path(path_text(segments)) == segments


@given(st.text(alphabet="ab.[]\"'\\ $*0", max_size=12))
def test_what_is_read_prints_to_something_that_reads_the_same(text: str) -> None:
    try:
        segments = parse_path(text)
    except ValueError:
        assume(False)
    assert parse_path(path_text(segments)) == segments


@pytest.mark.parametrize(
    ("written", "segments"),
    [
        ("data.prospects", ("data", "prospects")),
        ("$.Results.*", ("Results", "*")),
        ("Results[*]", ("Results", "*")),
        ("[*].PipelineItems[*]", ("*", "PipelineItems", "*")),
        ("$", ()),
        ("", ()),
        ([], ()),
        (["data", "campaigns"], ("data", "campaigns")),
        ('["Company Name"].text', ("Company Name", "text")),
        ("['a.b']", ("a.b",)),
        ("Company Name", ("Company Name",)),
        ("$ref.id", ("$ref", "id")),
        (r'["say \"x\""]', ('say "x"',)),
    ],
)
def test_notations(written: object, segments: tuple[str, ...]) -> None:
    assert parse_path(written) == segments


@pytest.mark.parametrize(
    "written", ["a..b", "a.", "a[", "a]b", "a[0]x", "$..id", '["open', 3, None, [1], {"a": 1}, [["a"]]]
)
def test_what_is_no_path_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="path"):
        parse_path(written)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("a", "b"), 1),
        (("list", "0"), "x"),
        (("list", "-1"), "y"),
        (("list", "2"), None),
        (("list", "²"), None),
        (("list", "--1"), None),
        (("a", "b", "c"), None),
        (("missing",), None),
        ((), {"a": {"b": 1}, "list": ["x", "y"]}),
    ],
)
def test_dig(path: tuple[str, ...], value: object) -> None:
    assert dig({"a": {"b": 1}, "list": ["x", "y"]}, path) == value
