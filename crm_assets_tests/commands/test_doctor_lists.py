"""What a sync would stumble over, found by doctor before the first one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from crm_assets.commands.doctor import ListFinding, examine
from crm_assets.declarations.connections import load_connections
from crm_assets.extract.shared_state import FileState
from crm_assets_tests.loopback import Answer, Asked, loopback

Respond = Callable[[dict[str, str]], tuple[int, Any]]
"""Takes the query, returns status and JSON."""
PEOPLE = [{"id": number, "name": f"Person {number}"} for number in range(1, 251)]
COLUMNS = {"id": {"type": "bigint", "nullable": False}, "name": "text"}
NUMBERED = {"type": "page_number", "limit_param": "limit", "limit": 100, "end": "short_page"}


class Server:
    """An API with a single list."""

    def __init__(self) -> None:
        self.respond: Respond = lambda query: (200, {"data": PEOPLE})
        self.asked: list[dict[str, str]] = []
        self.url = ""

    def reply(self, asked: Asked) -> Answer:
        self.asked.append(asked.query)
        status, document = self.respond(asked.query)
        return Answer(document, status)


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    with loopback(served.reply) as served.url:
        yield served


@pytest.fixture
def doctor(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ListFinding]:
    """Return a function that declares the list and examines it."""
    monkeypatch.setenv("SOURCES__MINE__TOKEN", "a-token-for-tests")

    def run(
        paginator: Any, columns: dict[str, Any] | None = None, undeclared: str = "extra", **keys: Any
    ) -> ListFinding:
        system = {
            "client": {
                "base_url": server.url,
                "auth": {"type": "bearer", "token": 'dlt.secrets["token"]'},
            },
            "resources": [
                {
                    "name": "people",
                    "primary_key": keys.pop("primary_key", "id"),
                    "endpoint": {"path": "/people", "data_selector": "data", "paginator": paginator},
                    "columns": COLUMNS | (columns or {}),
                    "undeclared_fields": undeclared,
                }
            ],
        }
        (tmp_path / "systems").mkdir()
        (tmp_path / "systems" / "crm.yaml").write_text(yaml.safe_dump(system))
        document = {"systems": "systems", "connections": [{"name": "mine", "system": "crm", **keys}]}
        (tmp_path / "connections.yaml").write_text(yaml.safe_dump(document))
        (diagnosis,) = examine(load_connections(tmp_path / "connections.yaml"), FileState(tmp_path / "data"))
        (finding,) = diagnosis.findings
        assert diagnosis.healthy is (finding.state != "problem")
        return finding

    return run


def paged(query: dict[str, str], most: int = 100) -> list[dict[str, Any]]:
    """Return the people of a page, as an API serves them that caps its pages."""
    size, page = min(int(query.get("limit", most)), most), int(query.get("page", 1))
    return PEOPLE[(page - 1) * size : page * size]


def test_two_pages_of_the_declared_size_and_one_behind_the_end_are_asked_for(server: Server, doctor: Any) -> None:
    server.respond = lambda query: (200, {"data": paged(query)})
    finding = doctor(NUMBERED)
    assert finding.state == "ok", finding.sentence
    assert finding.sentence == "200 records"
    assert [query["page"] for query in server.asked] == ["1", "2", "100001"]
    assert {query["limit"] for query in server.asked} == {"100"}


@pytest.mark.parametrize("beside", [{"has_more": True}, {"meta": {"total_count": 591}}, {"next": "/people?page=2"}])
def test_an_unpaged_list_with_signs_of_paging_is_doubted(server: Server, doctor: Any, beside: dict[str, Any]) -> None:
    server.respond = lambda query: (200, {"data": PEOPLE[:20], **beside})
    finding = doctor("single_page")
    assert finding.state == "doubt"
    assert "the last answer" in finding.sentence


@pytest.mark.parametrize(("kept", "said"), [("extra", "undeclared fields"), ("columns", "fields that become columns")])
def test_fields_without_a_column_are_named_by_what_becomes_of_them(
    server: Server, doctor: Any, kept: str, said: str
) -> None:
    server.respond = lambda query: (200, {"data": [{**PEOPLE[0], "mood": "fine", "size": 3}]})
    assert doctor("single_page", undeclared=kept).sentence == f"1 record; {said}: mood, size"


def test_a_round_number_of_records_in_one_answer_is_doubted(server: Server, doctor: Any) -> None:
    server.respond = lambda query: (200, {"data": PEOPLE[:100]})
    finding = doctor("single_page")
    assert (finding.state, finding.status) == ("doubt", 200)
    assert "exactly 100 records came in one answer" in finding.sentence


def test_a_paging_parameter_that_the_server_ignores_is_a_problem(server: Server, doctor: Any) -> None:
    server.respond = lambda query: (200, {"data": PEOPLE[:100]})
    finding = doctor(NUMBERED)
    assert finding.state == "problem"
    assert "page 2 repeats the page before" in finding.sentence


def test_pages_behind_the_end_that_are_refused_are_doubted(server: Server, doctor: Any) -> None:
    server.respond = lambda query: (200, {"data": found}) if (found := paged(query)) else (400, {"error": "no page"})
    finding = doctor(NUMBERED)
    assert finding.state == "doubt"
    assert "page 100001 was refused" in finding.sentence


def test_pages_behind_the_end_that_are_not_found_are_an_end(server: Server, doctor: Any) -> None:
    server.respond = lambda query: (200, {"data": found}) if (found := paged(query)) else (404, {"error": "no page"})
    assert doctor(NUMBERED).state == "ok"


def test_pages_that_begin_anew_behind_the_end_are_a_problem(server: Server, doctor: Any) -> None:
    server.respond = lambda query: (200, {"data": paged(query) or PEOPLE[:100]})
    finding = doctor(NUMBERED)
    assert finding.state == "problem"
    assert "page 100001 has the records of the first page" in finding.sentence


def test_columns_that_no_record_contains_are_named(server: Server, doctor: Any) -> None:
    finding = doctor({"type": "single_page"}, {"shirt": {"type": "text", "source": "custom.Shirt"}, "nps": "bigint"})
    assert finding.state == "doubt"
    assert "declared, but in none of 250 records: nps, shirt (check source)" in finding.sentence


def test_values_of_another_type_are_a_problem(server: Server, doctor: Any) -> None:
    server.respond = lambda query: (200, {"data": [{**one, "language": "de"} for one in PEOPLE[:7]]})
    finding = doctor("single_page", {"language": "bigint"})
    assert finding.state == "problem"
    assert "values of another type than declared: language" in finding.sentence


def test_a_key_that_is_none_is_named_as_that(server: Server, doctor: Any) -> None:
    server.respond = lambda query: (200, {"data": [{**one, "currency": "EUR"} for one in PEOPLE[:9]]})
    finding = doctor("single_page", {"currency": "text"}, primary_key="currency")
    assert finding.state == "problem"
    assert "8 of 9 records have the key of another one, so currency is not the primary_key" in finding.sentence


@pytest.mark.parametrize(("keys", "doubted"), [({}, True), ({"timezone": "Europe/Berlin"}, False)])
def test_times_without_an_offset_are_named_unless_their_zone_is_declared(
    server: Server, doctor: Any, keys: dict[str, str], doubted: bool
) -> None:
    server.respond = lambda query: (200, {"data": [{**one, "changed": "2026-03-01 10:00:00"} for one in PEOPLE[:3]]})
    finding = doctor("single_page", {"changed": "timestamp"}, **keys)
    assert finding.state == ("doubt" if doubted else "ok")
    assert ("times without an offset are read as UTC: changed (such as 2026-03-01 10:00:00)" in finding.sentence) is (
        doubted
    )
