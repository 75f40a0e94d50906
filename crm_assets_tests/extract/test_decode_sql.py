"""The text of the decoder's queries, for a resource with every feature: a change of it is meant to be seen."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from crm_assets.declarations import Resource
from crm_assets.extract.decode.careful_sql import careful_query
from crm_assets.extract.decode.destination_limits import POSTGRES, UNLIMITED
from crm_assets.extract.decode.digits import MARK
from crm_assets.extract.decode.fitting_sql import fitting_query
from crm_assets_tests.extract.declared import endpoint, resource

COLUMNS: dict[str, Any] = {
    "id": {"type": "bigint", "nullable": False},
    "list_id": {"type": "bigint", "source": "{list_id}"},
    "name": {"type": "text", "nullable": False},
    "mail": {"type": "text", "source": "contact.mail.0.text"},
    "amount": "decimal",
    "score": "double",
    "active": "bool",
    "tags": "json",
    "born": "date",
    "seen": {"type": "timestamp", "timezone": "Europe/Berlin"},
    "made": {"type": "timestamp", "format": "epoch_s"},
}
INCLUDED = endpoint(include={"on": "owner.id", "field": "boss", "type": "users"})


@pytest.fixture
def things() -> Resource:
    return resource(COLUMNS)


def test_the_query_of_pages_that_fit(things: Resource, snapshot: SnapshotAssertion) -> None:
    assert fitting_query(things, "pages") == snapshot


def test_the_query_of_pages_with_marked_numbers(things: Resource, snapshot: SnapshotAssertion) -> None:
    assert fitting_query(things, "pages", marked=True).replace(MARK, "MARK") == snapshot


@pytest.mark.parametrize("limits", [UNLIMITED, POSTGRES], ids=["duckdb", "postgres"])
def test_the_query_of_other_pages(limits: Any, snapshot: SnapshotAssertion) -> None:
    things = resource(COLUMNS, endpoint=INCLUDED)
    assert careful_query(things, "pages", limits).replace(MARK, "MARK") == snapshot
