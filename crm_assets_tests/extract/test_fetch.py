"""Read several resources of a connection side by side: what fails stops alone, and windows split where they must."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crm_assets.date_range import DateRange
from crm_assets.declarations import Connection, load_connections
from crm_assets.extract.fetch import ReadResult, fetch
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.read_report import ReadTask
from crm_assets_tests.transcripts.server import TranscriptServer
from crm_assets_tests.transcripts.transcript import Exchange

CRM = """
title: Things
client: {base_url: "https://api.example.com", auth: {type: bearer}}
resource_defaults:
  primary_key: id
  endpoint: {data_selector: data, paginator: single_page, error_handler: {max_retries: 1, backoff_constant: 0.01}}
resources:
  - name: things
    endpoint: {path: /things}
    columns: &columns {id: {type: text, nullable: false}, seen_on: date, note: text}
  - {name: others, endpoint: {path: /others}, columns: *columns}
  - name: parts
    endpoint: {path: "/others/{other_id}/parts", error_handler: {ignore_status_codes: [402]}}
    columns: {id: {type: text, nullable: false}, other_id: {type: text, source: "{other_id}"}}
  - name: days
    endpoint: {path: /days}
    window: {field: seen_on, params: {from: "{window_start}", to: "{window_end}"}, max_rows: 3}
    columns: *columns
"""

Fetched = dict[str, ReadResult]


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    (tmp_path / "declared").mkdir()
    (tmp_path / "declared" / "things.yaml").write_text(CRM)
    (tmp_path / "connections.yaml").write_text("{systems: declared, connections: [{name: crm, system: things}]}")
    (loaded,) = load_connections(tmp_path / "connections.yaml")
    return loaded


def answer(path: str, body: Any, **query: str) -> Exchange:
    """Return an exchange: a body to be sent as JSON, a body as text, or a status."""
    told = {"status": body} if isinstance(body, int) else {"text": body} if isinstance(body, str) else {"json": body}
    request = {"method": "GET", "path": path, "query": query, "headers": {"Authorization": "Bearer t0k3n"}}
    return Exchange.model_validate({"request": request, "answer": told})


def read(
    connection: Connection, folder: Path, exchanges: list[Exchange], *names: str, dates: DateRange | None = None
) -> Fetched:
    """Fetch resources by name from a server that knows these exchanges."""
    tasks = [
        ReadTask(
            connection.system.resource(name),
            date_ranges=(dates,) if dates and connection.system.resource(name).window else (),
        )
        for name in names
    ]
    spools = folder / "spools"
    spools.mkdir()
    with TranscriptServer(tuple(exchanges)) as server:
        readings = fetch(
            connection.at(server.url), tasks, {"token": "t0k3n"}, spools, RateLimiter(folder / "budget", None)
        )
    assert not server.complaints
    assert not server.unasked()
    return {reading.task.resource.name: reading for reading in readings}


def ids(reading: ReadResult) -> list[str]:
    """Return the ids a reading would load."""
    assert reading.staged is not None
    return sorted(row["id"] for table in reading.staged.tables() for row in table.to_pylist())


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (404, "404 Not Found"),
        (["no object"], "has no 'data'"),
        ("<html>", "web page"),
        ('{"data": [{"id": "1"', "not valid JSON"),
        ('{"data": ' + "[" * 100_000 + "]" * 100_000 + "}", "not valid JSON"),
        ('{"data": [{"id": "1", "x": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}]}", "not valid JSON"),
    ],
)
def test_what_cannot_be_read_stops_alone(broken: Any, problem: str, connection: Connection, tmp_path: Path) -> None:
    exchanges = [answer("/things", broken), answer("/others", {"data": [{"id": "7"}]})]
    fetched = read(connection, tmp_path, exchanges, "things", "others")
    assert fetched["things"].staged is None
    assert fetched["things"].report.reason.startswith("crm.things: ")
    assert problem in fetched["things"].report.reason
    assert ids(fetched["others"]) == ["7"]
    assert fetched["others"].report.complete


@pytest.mark.parametrize("key", ["", ".", ".."])
def test_a_parents_key_that_cannot_stand_in_an_address_stops_its_child_alone(
    key: str, connection: Connection, tmp_path: Path
) -> None:
    exchanges = [answer("/others", {"data": [{"id": key}]}), answer("/things", {"data": [{"id": "1"}]})]
    fetched = read(connection, tmp_path, exchanges, "parts", "things", "others")
    assert "cannot be used for {other_id}" in fetched["parts"].report.reason
    assert ids(fetched["things"]) == ["1"]
    assert ids(fetched["others"]) == [key]


def test_a_parent_that_is_not_asked_for_is_read_for_its_keys_alone(connection: Connection, tmp_path: Path) -> None:
    exchanges = [
        answer("/others", {"data": [{"id": "a b"}, {"id": "ü/1"}, {"id": "a b"}]}),
        answer("/others/a%20b/parts", {"data": [{"id": "1"}]}),
        answer("/others/%C3%BC%2F1/parts", {"data": []}),
    ]
    fetched = read(connection, tmp_path, exchanges, "parts")
    assert list(fetched) == ["parts"]
    assert (fetched["parts"].report.parents, fetched["parts"].report.lists) == (2, 2)
    assert ids(fetched["parts"]) == ["1"]


def test_a_status_that_is_ignored_is_told_and_one_that_skips_everything_is_an_error(
    connection: Connection, tmp_path: Path
) -> None:
    others = answer("/others", {"data": [{"id": "a"}, {"id": "b"}]})
    half = [others, answer("/others/a/parts", 402), answer("/others/b/parts", {"data": [{"id": "1"}]})]
    (tmp_path / "half").mkdir()
    report = read(connection, tmp_path / "half", half, "parts")["parts"].report
    assert report.complete
    assert len(report.skipped) == 1
    assert report.skipped[0].startswith("other_id a: the only page: the server answered 402")
    (tmp_path / "none").mkdir()
    none = [others, answer("/others/a/parts", 402), answer("/others/b/parts", 402)]
    report = read(connection, tmp_path / "none", none, "parts")["parts"].report
    assert not report.complete
    assert "nothing could be read: other_id" in report.reason


def _days(*numbers: int) -> dict[str, Any]:
    return {"data": [{"id": str(number), "seen_on": f"2026-10-0{number}"} for number in numbers]}


def test_a_window_that_reaches_the_apis_depth_is_split(connection: Connection, tmp_path: Path) -> None:
    exchanges = [
        answer("/days", _days(1, 2, 3), **{"from": "2026-10-01", "to": "2026-10-04"}),
        answer("/days", _days(1, 2), **{"from": "2026-10-01", "to": "2026-10-02"}),
        answer("/days", _days(3, 4), **{"from": "2026-10-03", "to": "2026-10-04"}),
    ]
    dates = DateRange(date(2026, 10, 1), date(2026, 10, 5))
    reading = read(connection, tmp_path, exchanges, "days", dates=dates)["days"]
    assert ids(reading) == ["1", "2", "3", "4"]
    assert (reading.report.lists, reading.report.pages, reading.report.duplicates) == (2, 3, 0)


def test_a_day_that_reaches_the_apis_depth_is_refused(connection: Connection, tmp_path: Path) -> None:
    exchanges = [answer("/days", _days(1, 1, 1), **{"from": "2026-10-01", "to": "2026-10-01"})]
    dates = DateRange(date(2026, 10, 1), date(2026, 10, 2))
    reading = read(connection, tmp_path, exchanges, "days", dates=dates)["days"]
    assert reading.staged is None
    assert "window 2026-10-01: the API serves no more than 3 rows of one query" in reading.report.reason


def _totalled(connection: Connection) -> Connection:
    """Return the connection with nothing but things, whose answer tells their number."""
    things = connection.system.resource("things")
    paginator = things.endpoint.paginator.model_copy(update={"total_records_path": ("total",)})
    endpoint = things.endpoint.model_copy(update={"paginator": paginator})
    resources = (things.model_copy(update={"endpoint": endpoint}),)
    return connection.model_copy(update={"system": connection.system.model_copy(update={"resources": resources})})


@pytest.mark.parametrize(
    ("body", "complete"),
    [
        ({"total": 2, "data": [{"id": "1"}, {"id": "2"}]}, True),
        ({"total": 2, "data": [{"id": "1"}, {"id": None}]}, True),
        ({"total": 3, "data": [{"id": "1"}, {"id": "2"}]}, False),
        ({"total": 2, "data": [{"id": "1"}, {"id": "1"}]}, False),
        ({"data": [{"id": "1"}]}, True),
    ],
)
def test_the_count_the_api_reports_must_be_read(
    body: Any, complete: bool, connection: Connection, tmp_path: Path
) -> None:
    report = read(_totalled(connection), tmp_path, [answer("/things", body)], "things")["things"].report
    assert report.complete is complete
    assert complete or "the API reports" in report.reason
