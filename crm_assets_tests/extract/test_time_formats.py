"""Formats of times: numbers of any unit, what .NET writes, patterns. What is not in the format is a misfit."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_assets.declarations import Column
from crm_assets.extract.decode.decoder import Decoder
from crm_assets_tests.extract.declared import resource
from crm_assets_tests.reliability import times

_DATABASE = duckdb.connect(config={"threads": 1})
_DATABASE.execute("SET timezone = 'UTC'")
_DECODERS: dict[tuple[str, str, str], Decoder] = {}


def value_of(wire: Any, format_: str, kind: str = "timestamp", zone: str = "UTC") -> list[Any]:
    """Return the value by the query of pages that fit, where the page does, and by the careful one; or the misfit."""
    made = {"id": "text", "at": {"type": kind, "format": format_, "timezone": zone}}
    decoder = _DECODERS.setdefault((format_, kind, zone), Decoder(resource(made), _DATABASE))
    found = []
    for more in ({}, {"unknown": 1}):
        page = decoder.inspect(json.dumps([{"id": "1", "at": wire, **more}]).encode(), None, {})
        (row,) = decoder.decode([page])[0].to_pylist()
        found.append(json.loads(row["_misfits"])["at"] if row["_misfits"] else row["at"])
    return found


@pytest.mark.parametrize("kind", ["timestamp", "date"])
def test_a_pattern_that_ends_with_z_is_in_utc(kind: str) -> None:
    moment = datetime(2025, 8, 14, 23, 43, tzinfo=timezone.utc)
    expected = moment if kind == "timestamp" else date(2025, 8, 15)
    assert value_of("14/08/2025 23:43Z", "%d/%m/%Y %H:%MZ", kind, "Europe/Berlin") == [expected] * 2


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("format_", "wire", "moment"),
    [
        ("epoch_s", 1755182580, utc("2025-08-14T14:43:00")),
        ("epoch_ms", 1755182580123, utc("2025-08-14T14:43:00.123000")),
        ("epoch_us", 1755182580123456, utc("2025-08-14T14:43:00.123456")),
        ("epoch_ns", 1755182580123456789, utc("2025-08-14T14:43:00.123456")),
        ("epoch_us", "1755182580123456", utc("2025-08-14T14:43:00.123456")),
        ("epoch_s", 1755182580123, 1755182580123),
        ("epoch_ms", 1755182580123456, 1755182580123456),
        ("dotnet", "/Date(1755182580123)/", utc("2025-08-14T14:43:00.123000")),
        ("dotnet", "/Date(1755182580123+0200)/", utc("2025-08-14T14:43:00.123000")),
        ("dotnet", "/Date(-1)/", utc("1969-12-31T23:59:59.999000")),
        ("dotnet", "2025-08-14T14:43:00Z", utc("2025-08-14T14:43:00")),
        ("dotnet", "/Date(soon)/", "/Date(soon)/"),
        ("%d/%m/%Y %H:%M", "14/08/2025 14:43", utc("2025-08-14T14:43:00")),
        ("%b %d, %Y %I:%M %p", "Aug 14, 2025 2:43 PM", utc("2025-08-14T14:43:00")),
        ("%a, %d %b %Y %H:%M:%S %z", "Thu, 14 Aug 2025 16:43:00 +0200", utc("2025-08-14T14:43:00")),
        ("%Y-%m-%dT%H:%M:%S%z", "2025-08-14T14:43:00Z", utc("2025-08-14T14:43:00")),
        ("%Y%m%d", 20250814, utc("2025-08-14T00:00:00")),
        ("%d/%m/%Y", "31/02/2025", "31/02/2025"),
        ("%Y-%d-%m", "2025-08-14", "2025-08-14"),
        ("%d/%m/%Y", True, True),
        ("%d/%m/%Y", None, None),
    ],
)
def test_moments_are_read_in_their_format(format_: str, wire: Any, moment: Any) -> None:
    assert value_of(wire, format_) == [moment, moment]


def test_times_of_a_pattern_are_local_and_days_of_moments_too() -> None:
    zone = "Europe/Berlin"
    assert value_of("14/08/2025 00:30", "%d/%m/%Y %H:%M", zone=zone) == [utc("2025-08-13T22:30:00")] * 2
    assert value_of("14/08/2025", "%d/%m/%Y", "date", zone) == [date(2025, 8, 14)] * 2
    assert value_of("13/08/2025 22:30 +0000", "%d/%m/%Y %H:%M %z", "date", zone) == [date(2025, 8, 14)] * 2
    assert value_of("/Date(1755124200000)/", "dotnet", "date", zone) == [date(2025, 8, 14)] * 2
    assert value_of(1755124200000000, "epoch_us", "date", zone) == [date(2025, 8, 14)] * 2


_PATTERNS = ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%j %Y %H%M%S", "%d %B %Y %H:%M:%S"]


@given(st.datetimes(*map(datetime.fromisoformat, ("1970-01-01", "2037-12-30"))), st.sampled_from(_PATTERNS))
@settings(max_examples=times(30, 300), deadline=None)
def test_patterns_are_read_as_python_writes_them(wall: datetime, pattern: str) -> None:
    wall = wall.replace(microsecond=0)
    moment = wall.replace(tzinfo=ZoneInfo("America/New_York")).astimezone(timezone.utc)
    assert value_of(wall.strftime(pattern), pattern, zone="America/New_York") == [moment, moment]


@pytest.mark.parametrize("format_", ["", "iso8601", "%H:%M", "%Q", "%Y-%m-%", "epoch", "dd/mm/yyyy"])
def test_what_is_not_a_format_is_refused(format_: str) -> None:
    with pytest.raises(ValueError, match="expected iso, epoch_s, epoch_ms, epoch_us, epoch_ns, dotnet or a pattern"):
        Column.model_validate({"type": "timestamp", "format": format_})
