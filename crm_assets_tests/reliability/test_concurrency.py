"""Eight processes over one warehouse, and somebody who looks at it: all wait, all succeed, nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pytest

from crm_assets.declarations.models.connection import Connection
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import Installation
from crm_assets_tests.reliability import times
from crm_assets_tests.reliability.conftest import MakeJob
from crm_assets_tests.reliability.killed_runs import Victim
from crm_assets_tests.reliability.test_crash import left_behind

LOOKING = 2
"""Seconds somebody holds the file."""
SPANS = [("01", "12"), ("08", "20"), ("20", "30"), ("15", "15"), ("01", "30")]


@contextmanager
def somebody_looks(house: Installation) -> Iterator[None]:
    """Hold the DuckDB file; a server lets everybody look."""
    if house.destination != "duckdb":
        yield
        return
    with duckdb.connect(str(house.warehouse.database), read_only=True) as reader:
        yield
        reader.sql("SELECT count(*) FROM sales_engagement.prospects").fetchall()


@pytest.mark.parametrize("number", range(times(1, 10)))
def test_eight_at_once(
    number: int, sandbox: FaultySandbox, house: Build, job: MakeJob, connections: dict[str, Connection]
) -> None:
    windows = only(connections["service_crm"], "appointments")
    mine = house("sales_engagement", "visitor_analytics", windows)
    assert all(result.success for result in mine.load("sales_engagement"))
    sandbox.state = 1
    jobs = [job(windows, days=(f"2024-03-{first}", f"2024-03-{last}")) for first, last in SPANS]
    jobs += [job("sales_engagement"), job("sales_engagement"), job(only(connections["visitor_analytics"], "accounts"))]
    with somebody_looks(mine):
        crowd = [Victim(one) for one in jobs]
        assert len(crowd) == 8
        time.sleep(LOOKING)
    told = [one.told() for one in crowd]
    assert [one.sentences for one in told] == [()] * 8
    assert all(one.succeeded for one in told)
    run_lock = "_deleted_at IS NULL"
    assert mine.table("service_crm", "appointments") == mine.truth("service_crm", "appointments")
    assert mine.table("visitor_analytics", "accounts") == mine.truth("visitor_analytics", "accounts")
    for resource in ("campaigns", "prospects"):
        assert mine.table("sales_engagement", resource, run_lock) == mine.truth("sales_engagement", resource)
    (reads,) = mine.query("SELECT count(*) AS entries FROM service_crm._reads WHERE complete")
    assert reads["entries"] == len(SPANS)
    assert left_behind(mine) == []


@pytest.mark.parametrize("destination", ["duckdb"], indirect=True)
def test_who_holds_the_file_is_named_and_nothing_is_changed(
    house: Build, job: MakeJob, connections: dict[str, Connection]
) -> None:
    connection = only(connections["sales_engagement"], "campaigns")
    mine = house(connection)
    assert all(result.success for result in mine.load("sales_engagement"))
    before = mine.snapshot("sales_engagement")
    with duckdb.connect(str(mine.warehouse.database), read_only=True):
        told = Victim(job(connection, patience=0.5)).told()
    assert not told.succeeded
    (sentence,) = told.sentences
    assert "is open in another program (" in sentence
    assert "Close it there (a notebook, a database tool) and run again; nothing was changed." in sentence
    assert mine.snapshot("sales_engagement") == before
