"""Credentials: each declared way is demanded, and only the sandbox's own secrets are accepted."""

from __future__ import annotations

import base64

import pytest

from crm_assets.declarations import Connection
from crm_assets.sandbox import sandbox_environment, sandbox_secrets
from crm_assets_tests.sandbox.conftest import World
from crm_assets_tests.sandbox.reader import send

PATHS = {"shop": "tags?account=7", "tracker": "v1/sites", "desk": "changes?page=1", "plain": "things?page=1"}


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize(
    ("connection", "right", "wrong"),
    [
        ("shop", basic("sandbox-shop-username:sandbox-shop-password"), basic("sandbox-shop-username:no")),
        ("tracker", "Token token=sandbox-tracker-api_token", "sandbox-tracker-api_token"),
        ("plain", "Bearer sandbox-plain-token", "Bearer sandbox-shop-token"),
    ],
)
def test_a_credential_in_a_header(world: World, connection: str, right: str, wrong: str) -> None:
    url = f"{world.base_url}/{connection}/{PATHS[connection]}"
    assert send(url, headers={"authorization": right}).status == 200
    for headers in ({}, {"Authorization": wrong}, {"Authorization": right + "x"}):
        refused = send(url, headers=headers)
        assert refused.status == 401
        assert refused.headers["content-type"] == "application/json"
        assert "Authorization" in refused.body["error"]
        assert "sandbox-" not in refused.text


def test_a_credential_in_the_query(world: World) -> None:
    url = f"{world.base_url}/desk/{PATHS['desk']}"
    assert send(f"{url}&key=sandbox-desk-api_key").status == 200
    assert send(f"{url}&key=sandbox-desk-other").status == 401
    assert send(url, headers={"key": "sandbox-desk-api_key"}).status == 401


def test_what_to_set_names_every_secret_of_every_connection(connections: tuple[Connection, ...]) -> None:
    assert sandbox_secrets(connections[0]) == {
        "username": "sandbox-shop-username",
        "password": "sandbox-shop-password",
    }
    assert sandbox_environment(connections, "http://127.0.0.1:8123/") == {
        "CRM_ASSETS_SANDBOX": "http://127.0.0.1:8123",
        "SOURCES__SHOP__USERNAME": "sandbox-shop-username",
        "SOURCES__SHOP__PASSWORD": "sandbox-shop-password",
        "SOURCES__TRACKER__API_TOKEN": "sandbox-tracker-api_token",
        "SOURCES__DESK__API_KEY": "sandbox-desk-api_key",
        "SOURCES__PLAIN__TOKEN": "sandbox-plain-token",
    }
