"""Companion records of a JSON:API answer, joined into the records that link to them."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from crm_assets.declarations.loader import parse_system
from crm_assets.extract.decode.decoder import Decoder

RESOURCE = parse_system(
    {
        "name": "crm",
        "client": {"base_url": "https://api.test", "auth": {"type": "bearer"}},
        "resources": [
            {
                "name": "leads",
                "primary_key": "id",
                "endpoint": {
                    "path": "/leads",
                    "data_selector": "data",
                    "paginator": "single_page",
                    "include": {"on": "links.place.id", "field": "place", "type": "places"},
                },
                "columns": {
                    "id": {"type": "text", "nullable": False},
                    "links": "json",
                    "place_id": {"type": "text", "source": "links.place.id"},
                    "city": {"type": "text", "source": "place.attributes.city"},
                    "lat": {"type": "double", "source": "place.attributes.position.lat"},
                },
            }
        ],
    }
).resources[0]

DRESDEN = {"id": "7", "type": "places", "attributes": {"city": "Dresden", "position": {"lat": 51.05}}}


def rows(companions: Any, *records: dict[str, Any]) -> list[dict[str, Any]]:
    decoder = Decoder(RESOURCE, duckdb.connect())
    included = None if companions is None else json.dumps(companions).encode()
    found, rejected = decoder.decode([decoder.inspect(json.dumps(records).encode(), included, {})])
    assert rejected.num_rows == 0
    return [{k: v for k, v in row.items() if v is not None and k != "links"} for row in found.to_pylist()]


def lead(place: str | None = "7", **beside: Any) -> dict[str, Any]:
    return {"id": "1", "links": {"place": {"id": place} if place else None}, **beside}


def test_a_companion_fills_the_columns_of_its_record() -> None:
    assert rows([DRESDEN], lead()) == [{"id": "1", "place_id": "7", "city": "Dresden", "lat": 51.05}]


def test_its_type_tells_it_from_others_of_the_same_id() -> None:
    other = {**DRESDEN, "type": "people", "attributes": {"city": "nowhere"}}
    assert rows([other, DRESDEN], lead())[0]["city"] == "Dresden"


@pytest.mark.parametrize("companions", [None, [], [{"type": "places"}, None, 3]])
def test_a_record_without_its_companion_stays_as_it_is(companions: Any) -> None:
    assert rows(companions, lead()) == [{"id": "1", "place_id": "7"}]


def test_a_record_without_a_link_takes_none() -> None:
    assert rows([DRESDEN], lead(None), {"id": "2"}) == [{"id": "1"}, {"id": "2"}]


def test_a_companion_that_comes_twice_is_no_error() -> None:
    assert rows([DRESDEN, DRESDEN], lead())[0]["city"] == "Dresden"


def test_what_is_not_declared_is_kept_wherever_it_stands() -> None:
    further = {**DRESDEN, "attributes": {**DRESDEN["attributes"], "zip": "01067"}}
    assert json.loads(rows([further], lead(owner=3))[0]["_extra"]) == {
        "owner": 3,
        "place": {"attributes": {"zip": "01067"}},
    }


def test_an_object_that_is_none_is_kept_as_a_misfit() -> None:
    wrong = {**DRESDEN, "attributes": {"city": "Dresden", "position": "51.05 N"}}
    found = rows([wrong], lead())[0]
    assert (found["city"], json.loads(found["_misfits"])) == ("Dresden", {"place.attributes.position": "51.05 N"})
