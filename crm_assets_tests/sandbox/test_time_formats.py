"""What the sandbox sends in a format of times is read back as the same moment, by itself and by the decoder."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import duckdb
import pytest

from crm_assets.declarations import Column, ColumnType
from crm_assets.extract.decode.decoder import Decoder
from crm_assets.sandbox.times import on_the_wire
from crm_assets_tests.extract.declared import resource
from crm_assets_tests.faults.truth import from_the_wire

AT = datetime(2025, 8, 14, 2, 43, 7, tzinfo=timezone.utc)
FORMATS = ["iso", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "dotnet", "%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M%S %z"]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("kind", ["timestamp", "date"])
@pytest.mark.parametrize("format_", FORMATS)
def test_formats_are_served_as_they_are_read(format_: str, kind: str, zone: str) -> None:
    column = Column.model_validate({"type": kind, "format": format_, "timezone": zone})
    sent = on_the_wire(column, AT, ZoneInfo(zone))
    meant = AT if column.type is ColumnType.TIMESTAMP else AT.astimezone(ZoneInfo(zone)).date()
    assert from_the_wire(column, sent) == meant
    with duckdb.connect() as database:
        database.execute("SET timezone = 'UTC'")
        decoder = Decoder(resource({"id": "text", "at": column}), database)
        (row,) = decoder.decode([decoder.inspect(json.dumps([{"id": "1", "at": sent}]).encode(), None, {})])[
            0
        ].to_pylist()
    assert (row["at"], row["_misfits"]) == (meant, None)
