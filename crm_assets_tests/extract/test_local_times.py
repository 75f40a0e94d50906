"""Times without an offset are those of the column's zone; days of moments are too. Python's zoneinfo is the oracle."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_assets.extract.decode.decoder import Decoder
from crm_assets_tests.extract.declared import resource
from crm_assets_tests.reliability import times

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo", "UTC"]
COLUMNS: dict[str, Any] = {"id": {"type": "bigint", "nullable": False}}
for _zone in ZONES:
    _name = _zone.split("/")[-1].lower()
    COLUMNS[_name] = {"type": "timestamp", "timezone": _zone, "source": "moment"}
    COLUMNS[f"{_name}_day"] = {"type": "date", "timezone": _zone, "format": "epoch_s", "source": "day"}
SPLIT = {name: {**column, "source": f"{name}.value"} if name != "id" else column for name, column in COLUMNS.items()}
"""The same columns without two of them at one place, for the query of pages that fit."""

_DATABASE = duckdb.connect(config={"threads": 1})
_DATABASE.execute("SET timezone = 'UTC'")
_CAREFUL = Decoder(resource(COLUMNS), _DATABASE)
_FITTING = Decoder(resource(SPLIT), _DATABASE)


def rows_of(moment: str, day: int, *, fitting: bool = True) -> list[dict[str, Any]]:
    """Return the row as each query decodes it."""
    split = {name: {"value": day if name.endswith("_day") else moment} for name in SPLIT if name != "id"}
    found = []
    for decoder, record in ((_CAREFUL, {"id": 1, "moment": moment, "day": day}), (_FITTING, {"id": 1, **split})):
        page = decoder.inspect(json.dumps([record]).encode(), None, {})
        assert page.fits is (decoder is _FITTING) or not fitting
        (row,) = decoder.decode([page])[0].to_pylist()
        assert row["_misfits"] is row["_extra"] is None
        found.append(row)
    return found


@given(st.datetimes(*map(datetime.fromisoformat, ("1972-01-01", "2037-12-30"))), st.integers(-(2**31), 2**31))
@settings(max_examples=times(30, 300), deadline=None)
def test_wall_clocks_are_read_as_their_zone_shows_them(wall: datetime, day: int) -> None:
    for row in rows_of(wall.isoformat(" "), day):
        for zone in ZONES:
            name = zone.split("/")[-1].lower()
            first = wall.replace(tzinfo=ZoneInfo(zone), fold=0)  # the text does not say which of two it is
            assert row[name] == first.astimezone(timezone.utc), zone
            moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=day)
            assert row[f"{name}_day"] == moment.astimezone(ZoneInfo(zone)).date(), zone


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        ("2024-07-10 10:00:00", "2024-07-10T08:00:00"),
        ("2024-01-10T10:00", "2024-01-10T09:00:00"),
        ("2024-01-10", "2024-01-09T23:00:00"),
        ("2024-10-27 02:30:00", "2024-10-27T00:30:00"),
        ("2024-03-31 02:30:00", "2024-03-31T01:30:00"),
        ("2024-07-10 10:00:00Z", "2024-07-10T10:00:00"),
        ("2024-07-10 10:00:00-05", "2024-07-10T15:00:00"),
        ("2024-07-10T10:00:00.25+05:30", "2024-07-10T04:30:00.250000"),
    ],
)
def test_clocks_set_back_show_the_first_of_two_and_an_offset_goes_before_the_zone(wall: str, utc: str) -> None:
    for row in rows_of(wall, 0, fitting=False):
        assert row["berlin"] == datetime.fromisoformat(utc).replace(tzinfo=timezone.utc)
        assert row["berlin_day"] == date(1970, 1, 1)
        assert row["new_york_day"] == date(1969, 12, 31)
