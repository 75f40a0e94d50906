"""Decoding loses nothing: what a record holds is found in its row, in ``_extra``, in ``_misfits`` or in a reject."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_assets.declarations import Column, ColumnType, Resource
from crm_assets.extract.decode.decoder import Decoder
from crm_assets.extract.decode.records import Records
from crm_assets.extract.http.client import Answer
from crm_assets.extract.paging.response_body import open_body
from crm_assets_tests.extract.declared import canonical, resource
from crm_assets_tests.reliability import times

THINGS = resource()
BRANCHES = {("attributes",): "attributes", ("attributes", "more"): "attributes.more"}
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

Decoded = tuple[list[dict[str, Any]], list[dict[str, Any]]]

_DATABASE = duckdb.connect(config={"threads": 1})
_DATABASE.execute("SET timezone = 'UTC'")
_DECODER = Decoder(THINGS, _DATABASE)


def inspected(records: list[Any] | str, decoder: Decoder = _DECODER, things: Resource = THINGS) -> Records:
    """Return the records of a page as they arrive: as JSON text, in an envelope."""
    array = records if isinstance(records, str) else json.dumps(records)
    envelope = open_body(Answer(b'{"data": ' + array.encode() + b"}", "application/json"), things.endpoint)
    return decoder.inspect(envelope.records, envelope.companions, {})


def decoded(pages: list[Records], decoder: Decoder = _DECODER) -> Decoded:
    """Return rows without their null columns, kept JSON decoded, and the rejected records with their reasons."""
    rows, rejected = decoder.decode(pages)
    shown = [{name: value for name, value in row.items() if value is not None} for row in rows.to_pylist()]
    for row in shown:
        row.update({name: json.loads(row[name]) for name in ("tree", "_extra", "_misfits") if name in row})
    return shown, rejected.to_pylist()


def row_of(record: str) -> dict[str, Any]:
    """Return the row of one record, given as JSON text without its id."""
    ((row,), rejected) = decoded([inspected(f'[{{"id": "1", {record}}}]')])
    assert not rejected
    assert row.pop("id") == "1"
    return row


# ------------------------------------------------------------------------------------------------ anything at all

_KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(
        ["12", "-7.50", "1e3", "true", "2026-10-01", "2026-10-01T08:00:00Z", "", " 1", "0000-03-09", "NaN"]
    )
)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=6
)
_ATTRIBUTES = st.fixed_dictionaries(
    {}, optional={"deep": _JSON, "more": _JSON | st.fixed_dictionaries({}, optional={"deeper": _JSON, "x": _JSON})}
)
_DECLARED = {column.wire_path(name)[0]: _JSON for name, column in THINGS.columns.items()}
_RECORDS = st.builds(
    lambda declared, unknown: {**unknown, **declared},
    st.fixed_dictionaries({}, optional={**_DECLARED, "id": st.text(max_size=5), "attributes": _ATTRIBUTES | _JSON}),
    st.dictionaries(_KEYS | st.sampled_from(["ID", "Words", "a.b", 'say "x"', "it's", "*", "$"]), _JSON, max_size=3),
)


@given(st.lists(_RECORDS | _JSON, max_size=12))
@settings(max_examples=times(40, 400), deadline=None)
def test_every_value_of_every_record_is_found_again(records: list[Any]) -> None:
    rows, rejected = decoded([inspected(records)])
    sent = [_mended(record) for record in records]
    usable = [record for record in sent if isinstance(record, dict) and _keyed(record.get("id"))]
    refused = [record for record in sent if record not in usable]
    assert [canonical(json.loads(reject["record"])) for reject in rejected] == [canonical(record) for record in refused]
    assert all(reject["reason"] for reject in rejected)
    assert len(rows) == len(usable)
    for row, record in zip(rows, usable, strict=True):
        _check_row(row, record)


def _mended(value: Any) -> Any:
    """Return the value with a replacement character for each half of one: no text can hold a half."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    return {key: _mended(item) for key, item in value.items()} if isinstance(value, dict) else value


def _keyed(key: Any) -> bool:
    return isinstance(key, (str, int, float)) and not isinstance(key, bool)


def _check_row(row: dict[str, Any], record: dict[str, Any]) -> None:
    misfits = row.get("_misfits", {})
    for name, column in THINGS.columns.items():
        value = _dig(record, column.wire_path(name))
        if value is None:
            assert name not in row
        elif name in misfits:
            assert name not in row
            assert canonical(misfits.pop(name)) == canonical(value)
        else:
            assert _means(column, value, row[name]), (name, value, row[name])
    rest = json.loads(json.dumps(record))
    for path, name in BRANCHES.items():
        branch = _dig(record, path)
        if branch is not None and not isinstance(branch, dict):
            assert canonical(misfits.pop(name)) == canonical(branch)
    for name, column in THINGS.columns.items():
        _remove(rest, column.wire_path(name))
    for path in sorted(BRANCHES, key=len, reverse=True):
        if _dig(rest, path) == {} or not isinstance(_dig(rest, path), dict):
            _remove(rest, path)
    assert not misfits
    assert canonical(row.get("_extra", {})) == canonical(rest)


def _dig(record: Any, path: tuple[str, ...]) -> Any:
    for segment in path:
        record = record.get(segment) if isinstance(record, dict) else None
    return record


def _remove(record: Any, path: tuple[str, ...]) -> None:
    parent = _dig(record, path[:-1]) if path[:-1] else record
    if isinstance(parent, dict):
        parent.pop(path[-1], None)


def _means(column: Column, wire: Any, value: Any) -> bool:
    """Tell whether a column's value says the same as what was sent."""
    number = isinstance(wire, (int, float)) and not isinstance(wire, bool)
    if column.type is ColumnType.JSON:
        return bool(canonical(value) == canonical(wire))
    if column.type is ColumnType.BOOL:
        return bool(wire in (value, json.dumps(value)) and not number)
    if column.format != "iso" and (number or re.fullmatch(r"-?\d+(\.\d+)?", wire)):
        micros = Decimal(str(wire)) * (1_000 if column.format == "epoch_ms" else 1_000_000)
        moment = EPOCH + timedelta(microseconds=int(micros.to_integral_value(ROUND_HALF_UP)))
        if column.type is ColumnType.DATE:
            return bool(value == moment.date())
        return bool(abs(value - moment) <= timedelta(microseconds=1))
    if column.type is ColumnType.DATE:
        return bool(value == date.fromisoformat(wire))
    if column.type is ColumnType.TIMESTAMP:
        moment = datetime.fromisoformat(wire.replace("Z", "+00:00"))
        return bool(value == (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)))
    if column.type is ColumnType.TEXT:
        return bool(type(wire)(value) == wire)
    if column.type is ColumnType.DECIMAL:
        with localcontext() as context:
            context.prec = 80
            return bool(abs(value - Decimal(str(wire))) <= Decimal("5e-10"))
    return bool(float(wire) == value if column.type is ColumnType.DOUBLE else Decimal(str(wire)) == value)


# ------------------------------------------------------------------------------------------------ records that fit


def _moments(form: str) -> st.SearchStrategy[str]:
    zones = st.sampled_from([timezone.utc, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))])
    first, last = (datetime.fromisoformat(day) for day in ("0001-01-02", "9999-12-30"))
    moments = st.datetimes(first, last, timezones=zones)
    return moments.map(lambda moment: moment.isoformat(form))


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_FITTING = st.fixed_dictionaries(
    {"id": _TEXT},
    optional={
        "words": st.none() | _TEXT,
        "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
        "real": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
        "money": st.none() | st.decimals(-(10**6), 10**6, places=4).map(float) | st.integers(-(10**15), 10**15),
        "flag": st.none() | st.booleans(),
        "moment": st.none() | _moments("T") | _moments(" "),
        "day": st.none() | st.dates().map(str),
        "tree": _JSON.filter(lambda value: value == _mended(value)),
        "seconds": st.none() | st.integers(-62_135_596_800, 253_402_300_799),
        "milliseconds": st.none() | st.integers(-62_135_596_800_000, 253_402_300_799_999),
        "epoch_day": st.none() | st.integers(-62_135_596_800, 253_402_300_799),
        "attributes": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "deep": st.none() | _TEXT,
                "more": st.none() | st.fixed_dictionaries({}, optional={"deeper": st.integers(-(2**63), 2**63 - 1)}),
            },
        ),
        "Display Name 🎨": st.none() | _TEXT,
    },
)


@given(st.lists(_FITTING, max_size=8))
@settings(max_examples=times(25, 250), deadline=None)
def test_the_fast_query_and_the_careful_one_agree_on_records_that_fit(records: list[dict[str, Any]]) -> None:
    page = inspected(records)
    assert page.fits
    assert page.count == len(records)
    rows, rejected = decoded([page])
    assert (rows, rejected) == decoded([replace(page, fits=False)])
    assert len(rows) == len(records)
    assert not rejected
    assert not any({"_extra", "_misfits"} & row.keys() for row in rows)
    for row, record in zip(rows, records, strict=True):
        _check_row(row, record)


def test_pages_that_fit_and_pages_that_do_not_are_decoded_together_in_order() -> None:
    pages = [inspected('[{"id": "1"}, {"id": "2"}]'), inspected("[]"), inspected('[{"id": 3}, {"id": "4", "x": 1}]')]
    assert [page.fits for page in pages] == [True, True, False]
    rows, _ = decoded(pages)
    assert rows == [{"id": "1"}, {"id": "2"}, {"id": "3"}, {"id": "4", "_extra": {"x": 1}}]
    assert decoded([]) == ([], [])


# ------------------------------------------------------------------------------------------------ odd forms, one by one


@pytest.mark.parametrize(
    ("wire", "moment"),
    [
        ("2026-10-01T08:00:00Z", "2026-10-01T08:00:00+00:00"),
        ("2026-10-01 08:00:00Z", "2026-10-01T08:00:00+00:00"),
        ("2026-10-01T08:00:00", "2026-10-01T08:00:00+00:00"),
        ("2026-10-01T08:00:00.5Z", "2026-10-01T08:00:00.500000+00:00"),
        ("2026-10-01T08:00:00.1234567Z", "2026-10-01T08:00:00.123456+00:00"),
        ("2026-10-01T08:00:00+0530", "2026-10-01T02:30:00+00:00"),
        ("2026-10-01T08:00:00-05", "2026-10-01T13:00:00+00:00"),
        ("2026-10-01T08:00:00 -05:00", "2026-10-01T13:00:00+00:00"),
        ("2026-10-01T08:00", "2026-10-01T08:00:00+00:00"),
        ("2026-10-01", "2026-10-01T00:00:00+00:00"),
        ("2024-02-29T23:59:59.999999+00:00", "2024-02-29T23:59:59.999999+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("2026-02-29T00:00:00Z", None),
        ("2026-13-01T00:00:00Z", None),
        ("2026-10-01T08:00:61Z", None),
        ("0000-03-09T00:00:00Z", None),
        ("0000-00-00 00:00:00", None),
        ("20261001T080000Z", None),
        ("01/10/2026 08:00", None),
        ("Thu, 01 Oct 2026 08:00:00 GMT", None),
        ("infinity", None),
        ("epoch", None),
        ("now", None),
        ("", None),
        (1790000000, None),
        (True, None),
    ],
)
def test_timestamps_are_read_as_iso_8601_and_nothing_else(wire: Any, moment: str | None) -> None:
    expected = {"moment": datetime.fromisoformat(moment)} if moment else {"_misfits": {"moment": wire}}
    assert row_of(f'"moment": {json.dumps(wire)}') == expected


@pytest.mark.parametrize(
    ("wire", "day"),
    [
        ("2026-10-01", "2026-10-01"),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("2026-10-01T00:00:00Z", None),
        ("2026-10-1", None),
        ("2026-02-30", None),
        ("0000-3-9", None),
        ("0000-03-09", None),
        ("01.10.2026", None),
        ("-infinity", None),
        ("", None),
        (20261001, None),
    ],
)
def test_dates_are_read_as_iso_8601_and_nothing_else(wire: Any, day: str | None) -> None:
    expected = {"day": date.fromisoformat(day)} if day else {"_misfits": {"day": wire}}
    assert row_of(f'"day": {json.dumps(wire)}') == expected


@pytest.mark.parametrize(
    ("name", "wire", "moment"),
    [
        ("seconds", "1755182580", "2025-08-14T14:43:00+00:00"),
        ("seconds", '"1755182580"', "2025-08-14T14:43:00+00:00"),
        ("seconds", '"2025-08-14T14:43:00Z"', "2025-08-14T14:43:00+00:00"),
        ("seconds", "0", "1970-01-01T00:00:00+00:00"),
        ("seconds", "-1", "1969-12-31T23:59:59+00:00"),
        ("milliseconds", "1755182580123", "2025-08-14T14:43:00.123000+00:00"),
        ("milliseconds", '"2025-08-14"', "2025-08-14T00:00:00+00:00"),
        ("seconds", "1755182580123", None),
        ("seconds", "1755182580.5", "2025-08-14T14:43:00.500000+00:00"),
        ("seconds", '"1755182580.123456789"', "2025-08-14T14:43:00.123457+00:00"),
        ("seconds", "1755182580.0", "2025-08-14T14:43:00+00:00"),
        ("milliseconds", "1755182580123.25", "2025-08-14T14:43:00.123250+00:00"),
        ("seconds", '"9999999999999999999.9"', None),
        ("seconds", "1.5e9", None),
        ("seconds", "99999999999999999", None),
        ("seconds", "-9223372036854775808", None),
        ("milliseconds", "9223372036854775807", None),
        ("milliseconds", '"soon"', None),
    ],
)
def test_moments_in_numbers_lie_in_the_years_people_write(name: str, wire: str, moment: str | None) -> None:
    expected = {name: datetime.fromisoformat(moment)} if moment else {"_misfits": {name: json.loads(wire)}}
    assert row_of(f'"{name}": {wire}') == expected


@pytest.mark.parametrize(
    ("record", "row"),
    [
        ('"whole": 9223372036854775807', {"whole": 2**63 - 1}),
        ('"whole": 9223372036854775808', {"_misfits": {"whole": 2**63}}),
        ('"whole": "9223372036854775808"', {"_misfits": {"whole": "9223372036854775808"}}),
        ('"whole": 12.0', {"whole": 12}),
        ('"whole": 12.5', {"_misfits": {"whole": 12.5}}),
        ('"whole": "012"', {"whole": 12}),
        ('"whole": "0x1f"', {"_misfits": {"whole": "0x1f"}}),
        ('"whole": "1_000"', {"_misfits": {"whole": "1_000"}}),
        ('"real": 1e400', {"_misfits": {"real": float("inf")}}),
        ('"real": "1e400"', {"_misfits": {"real": "1e400"}}),
        ('"real": "Infinity"', {"_misfits": {"real": "Infinity"}}),
        ('"real": "1,5"', {"_misfits": {"real": "1,5"}}),
        ('"real": "-1.5e-3"', {"real": -0.0015}),
        ('"money": 1e40', {"_misfits": {"money": 1e40}}),
        (f'"money": {10**40}', {"_misfits": {"money": 10**40}}),
        ('"money": "12345678901234567890.12"', {"money": Decimal("12345678901234567890.12")}),
        ('"money": "$5"', {"_misfits": {"money": "$5"}}),
        ('"flag": "true"', {"flag": True}),
        ('"flag": 1', {"_misfits": {"flag": 1}}),
        ('"flag": "yes"', {"_misfits": {"flag": "yes"}}),
        ('"words": 4073197535330103116606750064146', {"words": "4073197535330103116606750064146"}),
        ('"words": true', {"_misfits": {"words": True}}),
        (f'"unknown": {10**400}', {"_extra": {"unknown": 10**400}}),
        ('"unknown": 1e400', {"_extra": {"unknown": float("inf")}}),
    ],
)
def test_numbers_that_do_not_fit_are_kept_and_never_bent(record: str, row: dict[str, Any]) -> None:
    assert row_of(record) == row


def test_nul_characters_survive_in_values_keys_and_unknown_fields() -> None:
    row = row_of(r'"words": "a\u0000b", "tree": {"k\u0000": "\u0000"}, "z\u0000": 1, "whole": "\u0000"')
    expected = {"words": "a\0b", "tree": {"k\0": "\0"}, "_extra": {"z\0": 1}, "_misfits": {"whole": "\0"}}
    assert row == expected


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (r"\ud83d\ude00", "😀"),
        (r"cut \ud83d", "cut �"),
        (r"\ude00\ud83d", "��"),
        (r"\uD83Dx\uDE00", "�x�"),
        (r"\ud83d\ud83d\ude00", "�😀"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\�"),
    ],
)
def test_halves_of_characters_become_replacement_characters(wire: str, text: str) -> None:
    assert row_of(f'"words": "{wire}", "tree": ["{wire}"], "{wire}!": 1') == {
        "words": text,
        "tree": [text],
        "_extra": {f"{text}!": 1},
    }


def test_deep_nesting_is_kept_in_declared_and_unknown_fields() -> None:
    deep = json.loads("[" * 150 + "1" + "]" * 150)
    assert row_of(f'"tree": {json.dumps(deep)}, "unknown": {json.dumps(deep)}') == {
        "tree": deep,
        "_extra": {"unknown": deep},
    }


_ENDPOINT = {"path": "/things", "data_selector": "data", "paginator": "single_page"}


def test_columns_filled_from_the_request_take_part_in_both_queries() -> None:
    columns = {
        "id": {"type": "bigint", "nullable": False},
        "account": {"type": "bigint", "nullable": False, "source": "{account_id}"},
    }
    endpoint = {**_ENDPOINT, "path": "/accounts/{account_id}/things"}
    decoder = Decoder(resource(columns, primary_key=["account", "id"], endpoint=endpoint), _DATABASE)
    pages = [
        decoder.inspect(b'[{"id": 1}, {"id": 2}]', None, {"account_id": 7}),
        decoder.inspect(b'[{"id": "3"}]', None, {"account_id": "8"}),
    ]
    for chosen, expected in ((pages[:1], [(1, 7), (2, 7)]), (pages, [(1, 7), (2, 7), (3, 8)])):
        rows, rejected = decoder.decode(chosen)
        assert [(row["id"], row["account"]) for row in rows.to_pylist()] == expected
        assert not rejected.num_rows


def test_lists_that_share_a_database_take_turns() -> None:
    others = resource({"id": {"type": "bigint", "nullable": False}, "words": {"type": "text"}})
    decoder = Decoder(others, _DATABASE)
    for turn in range(3):
        assert decoded([inspected([{"id": str(turn)}])]) == ([{"id": str(turn)}], [])
        for record, row in (
            ({"id": turn, "words": "one"}, {"id": turn, "words": "one"}),
            ({"id": turn, "x": 1}, {"id": turn, "_extra": {"x": 1}}),
        ):
            assert decoded([inspected([record], decoder)], decoder) == ([row], [])


@pytest.mark.parametrize("extra", [{}, {"unknown": 1}], ids=["fitting", "careful"])
def test_pages_of_many_megabytes_keep_their_order(extra: dict[str, int]) -> None:
    sizes = [1, 300, 40_000, 2, 1_500_000, 0, 2_500_000, 1]
    pages = [
        inspected([{"id": f"{page}-{row}", "words": "x" * size, **extra} for row in range(3)])
        for page, size in enumerate(sizes)
    ]
    rows, rejected = _DECODER.decode(pages)
    assert rows["id"].to_pylist() == [f"{page}-{row}" for page in range(len(sizes)) for row in range(3)]
    assert [len(words) for words in rows["words"].to_pylist()] == [size for size in sizes for _ in range(3)]
    assert not rejected.num_rows


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('[{"id": "1"}, {"id": "2"}]', '[{"id": "1"}, {"id": "2"}]', True),
        ('[{"id": "1"}, {"id": "2"}]', '[{"id": "1"}, {"id": "3"}]', False),
        ('[{"id": "1"}]', '[{"id": "1"}, {"id": "1"}]', False),
        ('[{"id": 1, "x": 1e400}]', '[{"id": 1, "x": 1e400}]', True),
        ('[{"id": 1, "x": 2}]', '[{"id": 2, "x": 2}]', False),
        ("[null, 7]", "[null, 7]", True),
    ],
)
def test_the_fingerprint_tells_pages_apart_by_their_ends(one: str, other: str, same: bool) -> None:
    assert (inspected(one).fingerprint == inspected(other).fingerprint) is same


def test_a_resource_without_columns_keeps_its_records_as_they_are() -> None:
    decoder = Decoder(resource({"id": "text"}).model_copy(update={"columns": {}, "primary_key": ()}), _DATABASE)
    for records in ([{"id": 1}, {"a": {"b": 1.5}}], [{}, {}], []):
        page = inspected(records, decoder)
        rows, rejected = decoded([page], decoder)
        assert rows == [{"_extra": record} if record else {} for record in records]
        assert not rejected
    assert inspected("[{}]", decoder).fits
    assert inspected([{"a": 1}], decoder).fingerprint != inspected([{"a": 2}], decoder).fingerprint
