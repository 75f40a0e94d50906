"""All bytes of a number arrive: by both queries, in every type of column, unknown, misfit or rejected."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_assets.extract.decode.decoder import Decoder
from crm_assets.extract.decode.destination_limits import POSTGRES
from crm_assets_tests.extract.declared import resource
from crm_assets_tests.reliability import times

COLUMNS: dict[str, Any] = {
    "id": {"type": "bigint", "nullable": False},
    "dec": "decimal",
    "txt": "text",
    "doc": "json",
    "inner": {"type": "json", "source": "deep.inner"},
    "dbl": "double",
}
_DATABASE = duckdb.connect(config={"threads": 1})
_DATABASE.execute("SET timezone = 'UTC'")
_DECODER = Decoder(resource(COLUMNS), _DATABASE)


class Number(str):
    """A JSON number as it was written."""


def read_back(text: str | None) -> Any:
    """Return JSON with its numbers as they are written."""
    return None if text is None else json.loads(text, parse_int=Number, parse_float=Number)


def same(sent: Any, found: Any) -> bool:
    """Return whether JSON is the same, numbers by their bytes; what no double holds may be a text of the same bytes."""
    if isinstance(sent, dict):
        return isinstance(found, dict) and sent.keys() == found.keys() and all(same(sent[k], found[k]) for k in sent)
    if isinstance(sent, list):
        return isinstance(found, list) and len(sent) == len(found) and all(map(same, sent, found))
    if isinstance(sent, Number) and not isinstance(found, Number):
        return str(sent) == found and Decimal(repr(float(sent))) != Decimal(sent)
    return type(sent) is type(found) and bool(sent == found)


def written(value: Any) -> str:
    """Return JSON text with numbers as they are."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {written(item)}" for key, item in value.items()) + "}"
    return "[" + ",".join(map(written, value)) + "]" if isinstance(value, list) else json.dumps(value)


_DIGITS = st.text("0123456789", min_size=1, max_size=30)
_NUMBERS = st.builds(
    lambda sign, whole, fraction, exponent: Number(sign + (whole.lstrip("0") or "0") + fraction + exponent),
    st.sampled_from(["", "-"]),
    _DIGITS,
    st.just("") | _DIGITS.map(lambda digits: "." + digits),
    st.just("")
    | st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 420)),
) | st.floats(allow_nan=False, allow_infinity=False).map(lambda value: Number(repr(value)))
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ['": 1.10, "', "[1.10]", "\\", '\\"', "1.10", ",-0,"]
)
_TREES = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)


def rows_of(*records: str, decoder: Decoder = _DECODER) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
    page = decoder.inspect(f"[{', '.join(records)}]".encode(), None, {})
    rows, rejected = decoder.decode([page])
    return rows.to_pylist(), rejected.to_pylist(), page.fits


@given(_TREES, _TREES)
@settings(max_examples=times(60, 600), deadline=None)
def test_json_keeps_every_byte_of_its_numbers_in_both_queries(doc: Any, inner: Any) -> None:
    record = f'{{"id": 1, "doc": {written(doc)}, "deep": {{"inner": {written(inner)}}}}}'
    (fitting,), _, fits = rows_of(record)
    assert fits
    (careful, _), _, fits = rows_of(record, '{"id": 2, "x": 0}')
    assert not fits
    assert fitting == careful
    assert same(doc, read_back(fitting["doc"]))
    assert same(inner, read_back(fitting["inner"]))


@given(_NUMBERS)
@settings(max_examples=times(75, 750), deadline=None)
def test_a_number_is_kept_as_it_came_wherever_it_arrives(number: Number) -> None:
    record = '{"id": 1, "dec": %s, "txt": %s, "dbl": %s, "other": [%s]}' % ((number,) * 4)
    ((row,), _, _) = rows_of(record)
    misfits = read_back(row["_misfits"]) or {}
    assert row["txt"] == str(number)
    assert same({"other": [number]}, read_back(row["_extra"]))
    for name in ("dec", "dbl"):
        assert (name in misfits) is (row[name] is None)
        assert name not in misfits or same(number, misfits[name])
    if row["dec"] is not None:
        assert abs(row["dec"] - Decimal(number)) <= Decimal("5e-10")
    if row["dbl"] is not None:
        assert row["dbl"] == float(number)
    ((alone, _), _, fits) = rows_of(f'{{"id": 1, "dec": {number}, "dbl": {number}}}', '{"id": 2}')
    assert not fits or (alone["dec"], alone["dbl"]) == (row["dec"], row["dbl"])
    _, (rejected,), _ = rows_of(f'{{"id": null, "n": [{number}]}}')
    assert same({"id": None, "n": [number]}, read_back(rejected["record"]))


@pytest.mark.parametrize("number", ["007", "1.", ".5", "+1", "1e", "NaN", "Infinity", "0x1f", "1_000"])
def test_what_json_does_not_allow_is_refused(number: str) -> None:
    with pytest.raises(Exception, match=r"JSON is malformed|invalid|truncated"):
        rows_of(f'{{"id": 1, "dec": {number}}}')


def test_what_postgres_does_not_have_is_found_before_the_load() -> None:
    decoder = Decoder(resource(COLUMNS), _DATABASE, POSTGRES)
    odd = r'{"id": 1, "txt": "a\u0000b", "doc": ["\u0000", 1e200000], "x": {"\u0000": "\\u0000"}}'
    ((row,), _, _) = rows_of(odd, decoder=decoder)
    assert (row["txt"], row["doc"]) == (None, None)
    assert json.loads(row["_misfits"]) == {"txt": r"a\u0000b", "doc": [r"\u0000", "1e200000"]}
    assert json.loads(row["_extra"]) == {"x": {r"\u0000": r"\u0000"}}
    _, (rejected,), _ = rows_of(r'{"id": null, "txt": "\u0000"}', decoder=decoder)
    assert rejected["record"] == r'{"id":null,"txt":"\u0000"}'
