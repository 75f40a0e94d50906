"""Requests reach the resource they declare themselves to be for, and no other."""

from __future__ import annotations

import pytest

from crm_assets.declarations import Connection
from crm_assets_tests.sandbox.conftest import World, load_own
from crm_assets_tests.sandbox.reader import credentials, send


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("shop/none?account=7", "GET", 404),
        ("shop/tags/1?account=7", "GET", 404),
        ("shop/tags?account=7", "POST", 405),
        ("shop/tags", "GET", 400),
        ("shop/tags?account=8", "GET", 400),
        ("nobody/tags", "GET", 404),
        ("", "GET", 404),
    ],
)
def test_what_is_not_declared_is_refused(world: World, path: str, method: str, status: int) -> None:
    answer = send(f"{world.base_url}/{path}", method, credentials(world.connection("shop"))[0])
    assert answer.status == status
    assert answer.body["error"]


def test_resources_on_one_path_are_told_apart_by_their_body(world: World) -> None:
    assert world.reader("shop", "log").page(**{"Parameters.Page": 1}).status == 200
    assert world.reader("shop", "journal").page().status == 200
    assert [entry.resource for entry in world.sandbox.requests] == ["log", "journal"]
    body = {"Function": "GetNothing", "Parameters": {"Page": 1}}
    assert (
        send(f"{world.base_url}/shop/?account=7", "POST", credentials(world.connection("shop"))[0], body).status == 400
    )


def test_a_child_list_needs_a_parent_that_exists(world: World) -> None:
    assert world.reader("tracker", "visits", site_id="no such/site").page(**{"page[number]": 1}).status == 404


def test_the_sandbox_address_leads_every_connection_to_its_own_part(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("pointed")
    pointed: dict[str, Connection] = {each.name: each for each in load_own(folder, world.base_url)}
    url = f"{pointed['plain'].base_url}/things?page=1"
    assert send(url, headers=credentials(pointed["plain"])[0]).status == 200
