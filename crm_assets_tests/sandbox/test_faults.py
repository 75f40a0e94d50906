"""Faults: each does what its name says, to the requests it matches and to no others."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest

from crm_assets_tests.faults import Fault
from crm_assets_tests.sandbox.conftest import World
from crm_assets_tests.sandbox.reader import credentials, send


def orders(world: World, page: int = 1) -> list[dict[str, object]]:
    reader = world.reader("shop", "orders")
    return reader.records(reader.page(page=page))


def true_ids(world: World) -> list[int]:
    return [row["id"] for row in world.sandbox.rows("shop", "orders")]


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429, 500, 502, 503, 504])
def test_a_status(world: World, status: int) -> None:
    world.sandbox.faults.push(Fault("status", status=status, times=1))
    reader = world.reader("shop", "orders")
    refused = reader.page(page=1)
    assert refused.status == status
    assert "retry-after" not in refused.headers
    assert reader.page(page=1).status == 200


def test_retry_after_in_seconds_and_as_a_date(world: World) -> None:
    world.sandbox.faults.push(Fault("status", status=429, retry_after=3, times=1))
    world.sandbox.faults.push(Fault("status", status=503, retry_after=3, retry_after_date=True, times=2))
    reader = world.reader("shop", "orders")
    assert reader.page(page=1).headers["retry-after"] == "3"
    at = parsedate_to_datetime(reader.page(page=1).headers["retry-after"])
    assert 2.9 < (at - datetime.now(timezone.utc)).total_seconds() <= 4


def test_only_what_matches_is_spoilt_and_every_meeting_is_counted(world: World) -> None:
    fault = Fault("status", connection="shop", resource="orders", page=2, times=2)
    world.sandbox.faults.push(fault)
    other, reader = world.reader("shop", "tags"), world.reader("shop", "orders")
    assert other.ask().status == 200
    assert [reader.page(page=page).status for page in (1, 2, 3, 2, 2)] == [200, 500, 200, 500, 200]
    assert fault.met == 2
    assert [entry.faults for entry in world.sandbox.requests.of("shop", "orders")] == [
        (),
        ("status",),
        (),
        ("status",),
        (),
    ]
    world.sandbox.faults.clear()
    assert len(world.sandbox.faults) == 0


def test_one_parents_list(world: World) -> None:
    first, second, _ = (row["id"] for row in world.sandbox.rows("tracker", "sites"))
    world.sandbox.faults.push(Fault("status", status=402, parent=second))
    pages = [world.reader("tracker", "visits", site_id=site).page(**{"page[number]": 1}) for site in (first, second)]
    assert [page.status for page in pages] == [200, 402]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="known: status, delay"):
        Fault("typhoon")  # type: ignore[arg-type]


def test_the_connection_breaks_in_the_body(world: World) -> None:
    world.sandbox.faults.push(Fault("reset", times=1))
    with pytest.raises((http.client.IncompleteRead, ConnectionError, urllib.error.URLError)):
        orders(world)
    assert len(orders(world)) == 25


def test_truncated_json_is_a_whole_answer_that_cannot_be_read(world: World) -> None:
    world.sandbox.faults.push(Fault("truncated"))
    answer = world.reader("shop", "orders").page(page=1)
    assert answer.status == 200
    assert int(answer.headers["content-length"]) == len(answer.text.encode())
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text)


def test_html_with_status_200(world: World) -> None:
    world.sandbox.faults.push(Fault("html"))
    answer = world.reader("shop", "orders").page(page=1)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!doctype html>")


def test_slow_answers_and_none_at_all(world: World) -> None:
    world.sandbox.faults.push(Fault("delay", seconds=0.2, times=1))
    begun = time.perf_counter()
    assert len(orders(world)) == 25
    assert time.perf_counter() - begun >= 0.2
    world.sandbox.faults.push(Fault("hang"))
    request = urllib.request.Request(
        f"{world.base_url}/shop/orders?account=7&page=1", headers=credentials(world.connection("shop"))[0]
    )
    with pytest.raises((TimeoutError, urllib.error.URLError)):
        urllib.request.urlopen(request, timeout=0.2)


def test_an_empty_page_in_the_middle(world: World) -> None:
    world.sandbox.faults.push(Fault("empty_page", page=2))
    assert [len(orders(world, page)) for page in (1, 2, 3)] == [25, 0, 25]


def test_the_page_number_is_ignored(world: World) -> None:
    world.sandbox.faults.push(Fault("page_ignored"))
    assert orders(world, 1) == orders(world, 3) == orders(world, 99)


def test_duplicates_across_pages(world: World) -> None:
    world.sandbox.faults.push(Fault("duplicates"))
    ids = [record["id"] for page in (1, 2, 3) for record in orders(world, page)]
    truth = true_ids(world)[:75]
    assert ids == truth[:25] + truth[24:50] + truth[49:75]


def test_rows_inserted_and_deleted_while_paging(world: World) -> None:
    truth = true_ids(world)
    world.sandbox.faults.push(Fault("deleted", resource="orders"))
    assert [record["id"] for page in (1, 2) for record in orders(world, page)] == truth[:25] + truth[26:51]
    world.sandbox.faults.clear()
    world.sandbox.faults.push(Fault("inserted", resource="orders", page=3))
    assert [record["id"] for page in (2, 3) for record in orders(world, page)] == truth[25:50] + truth[49:74]


def test_what_the_envelope_counts_follows_the_shift(world: World) -> None:
    total = len(world.sandbox.rows("shop", "companies"))
    reader = world.reader("shop", "companies")

    def counted(page: int) -> int:
        found: int = reader.page(**{"page[page]": page}).body["meta"]["total"]
        return found

    world.sandbox.faults.push(Fault("deleted"))
    assert [counted(0), counted(1)] == [total, total - 1]


def test_the_list_is_absent_or_the_body_is_no_object(world: World) -> None:
    world.sandbox.faults.push(Fault("list_absent"))
    assert world.reader("shop", "people").page(offset=0).body == {"data": {}, "meta": {"more": True}}
    assert world.reader("shop", "orders").page(page=1).body == {"message": "no list today"}
    world.sandbox.faults.clear()
    world.sandbox.faults.push(Fault("scalar", times=1), Fault("scalar", value=0))
    reader = world.reader("shop", "people")
    assert [reader.page(offset=0).body, reader.page(offset=0).body] == ["maintenance", 0]


def test_the_list_as_an_object_keyed_by_id(world: World) -> None:
    truth = world.sandbox.rows("shop", "journal")
    world.sandbox.faults.push(Fault("list_keyed"))
    reader = world.reader("shop", "journal")
    assert isinstance(reader.page().body["Results"], dict)
    assert reader.rows() == truth


def test_null_ids_and_ids_of_31_digits(world: World) -> None:
    world.sandbox.faults.push(Fault("null_id"))
    assert [record["id"] for record in orders(world)][:2] == [None, 2]
    world.sandbox.faults.clear()
    world.sandbox.faults.push(Fault("long_ids"))
    ids = [record["id"] for record in orders(world)]
    assert {len(str(key)) for key in ids} == {31}
    assert len(set(ids)) == 25


def test_values_and_fields_nobody_declared(world: World) -> None:
    clean = orders(world)
    world.sandbox.faults.push(Fault("wrong_type", field="total", times=1))
    assert [record["total"] for record in orders(world)] == ["priceless", *[record["total"] for record in clean[1:]]]
    world.sandbox.faults.push(Fault("wrong_type", times=1, value=[1]))
    assert [name for name, value in orders(world)[0].items() if value == [1]] == ["person_id"]
    world.sandbox.faults.push(Fault("unknown_field", field="mood", value="good", times=1))
    assert orders(world) == [{**record, "mood": "good"} for record in clean]
    world.sandbox.faults.push(Fault("twin_field", field="status", times=1))
    assert orders(world) == [{**record, "Status": "twin"} for record in clean]
    world.sandbox.faults.push(Fault("odd_fields", times=1))
    assert {"Company Name (old)", "😀 mood", "a.b"} < set(orders(world)[0])
    assert orders(world) == clean


def test_nulls_left_out(world: World) -> None:
    reader = world.reader("shop", "companies")
    world.sandbox.faults.push(Fault("nulls_absent"))
    bare = reader.all()
    assert any("note" not in record for record in bare)
    assert all(None not in record.values() for record in bare)
    assert reader.rows() == world.sandbox.rows("shop", "companies")


def test_a_redirect_and_a_link_to_another_host(world: World) -> None:
    port = urlsplit(world.base_url).port
    world.sandbox.faults.push(Fault("redirect", resource="orders", status=307), Fault("foreign_link"))
    target = urlsplit(f"{world.base_url}/shop/orders?account=7&page=1")
    connection = http.client.HTTPConnection(target.hostname or "", port)
    connection.request("GET", "/shop/orders?account=7&page=1", headers=credentials(world.connection("shop"))[0])
    response = connection.getresponse()
    assert response.status == 307
    assert response.headers["location"] == f"http://localhost:{port}/shop/orders?account=7&page=1"
    connection.close()
    link = world.reader("shop", "links").page().body["links"]["next"]
    assert link.startswith(f"http://localhost:{port}/shop/links?")
    assert send(link, headers=credentials(world.connection("shop"))[0]).status == 200
    assert next(reversed(list(world.sandbox.requests))).headers["host"] == f"localhost:{port}"
