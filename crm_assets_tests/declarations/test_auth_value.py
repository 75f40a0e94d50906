"""What an API key is sent as: a template that may hold parameters of the connection."""

from __future__ import annotations

from typing import Any

import pytest

from crm_assets.declarations import SpecError
from crm_assets.extract.http.credentials import Credentials
from crm_assets_tests.declarations.desk import Desk

AUTH = {"type": "api_key", "api_key": "api_key", "value": "{prefix}{api_key}"}
PREFIX = {"description": "What stands before the key", "default": "Bearer ", "pattern": "(Bearer )?"}


@pytest.mark.parametrize(
    ("params", "sent"), [({}, "Bearer k-1"), ({"prefix": ""}, "k-1"), ({"prefix": "Bearer "}, "Bearer k-1")]
)
def test_a_parameter_stands_in_what_is_sent(desk: Desk, params: dict[str, Any], sent: str) -> None:
    desk.declare(client__auth=AUTH, params={"prefix": PREFIX})
    connection = desk.connection(params=params)
    credentials = Credentials(connection.system.client.auth, {"api_key": "k-1"}, connection.base_url)
    assert credentials.headers(connection.base_url) == {"Authorization": sent}


def test_a_parameter_must_be_declared(desk: Desk) -> None:
    desk.declare(client__auth=AUTH, params={"prefixes": PREFIX})
    with pytest.raises(SpecError, match=r"key client.auth.value: nothing fills \{prefix\}; did you mean 'prefixes'"):
        desk.system()


def test_a_parameter_cannot_stand_in_for_a_secret(desk: Desk) -> None:
    desk.declare(client__auth=AUTH, params={"prefix": PREFIX, "api_key": {"description": "The key"}})
    with pytest.raises(SpecError, match="api_key is the name of a secret"):
        desk.system()


@pytest.mark.parametrize("value", ["Token", "{prefix}", "{api_key}{api_key}"])
def test_the_secret_stands_in_it_once(desk: Desk, value: str) -> None:
    desk.declare(client__auth={**AUTH, "value": value}, params={"prefix": PREFIX})
    with pytest.raises(SpecError, match=r"value must contain \{api_key\}, once"):
        desk.system()
