"""Commands that ask an API a few questions keep to what the runs of all machines agreed on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crm_assets.commands.discover import discover
from crm_assets.commands.doctor import examine
from crm_assets.commands.list_sizes import list_sizes
from crm_assets.commands.preview import preview
from crm_assets.commands.workspace import Workspace
from crm_assets.declarations.models.connection import Connection
from crm_assets.errors import CommandError
from crm_assets.extract.shared_state import FileState, SharedState
from crm_assets.orchestration.shared_state.state import PostgresState
from crm_assets.settings import Settings
from crm_assets_tests.extract.oauth_server import oauth_server
from crm_assets_tests.extract.test_oauth import REFRESH_TOKEN, SECRETS, connection_at
from crm_assets_tests.postgres import new_database

HELD = 0.3
"""Seconds for which another machine was asked to stay away."""
COMMANDS: dict[str, Callable[[Connection, SharedState], object]] = {
    "doctor": lambda desk, state: examine([desk], state)[0].healthy,
    "preview": lambda desk, state: preview(desk, "things", state).rows,
    "discover": lambda desk, state: discover(desk, None, state).looks,
    "plan --ask": lambda desk, state: list_sizes(desk, desk.system.resources, state)["things"].seconds,
}


@pytest.fixture(scope="module")
def url(postgres: str) -> Iterator[str]:
    with new_database(postgres) as found:
        yield found


@pytest.fixture(params=["files", "postgres"])
def state(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> SharedState:
    return FileState(tmp_path) if request.param == "files" else PostgresState(url)


def test_commands_wait_for_the_shared_rate_and_renew_shared_tokens(
    state: SharedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(f"SOURCES__DESK__{name.upper()}", secret)
    with oauth_server(rotates=True) as server:
        limit = {"requests": 200, "per": "second"}
        desk = connection_at(server.url, REFRESH_TOKEN, rate_limit=limit)
        for name, command in COMMANDS.items():
            asked, started = len(server.requests), time.monotonic()
            state.rate_limiter(desk).hold(HELD)
            assert command(desk, state), name
            assert time.monotonic() - started >= HELD, name
            assert len(server.requests) > asked, name
            server.invalidate()
        used = [request["refresh_token"] for request in server.token_requests]
        assert used == server.refresh_tokens[:-1], "each command has the token that the one before it was given"
        assert len(used) >= len(COMMANDS)


def test_commands_find_what_is_shared_in_the_instance(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    workspace = Workspace(Settings(data_folder=tmp_path / "data"))
    assert workspace.shared_state == FileState(tmp_path / "data")
    storage = url.replace("postgresql:", "postgresql+psycopg2:")
    (tmp_path / "dagster.yaml").write_text(f"storage: {{postgres: {{postgres_url: '{storage}'}}}}\n")
    assert Workspace(workspace.settings).shared_state == PostgresState(url)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    assert Workspace(workspace.settings).shared_state == FileState(tmp_path / "data")


def test_an_instance_that_cannot_be_opened_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("storage: {custom: {module: postgres_of_ours, class: Storage}}\n")
    with pytest.raises(
        CommandError, match=r"^The Dagster instance of .*dagster.yaml cannot be opened: .*postgres_of_ours"
    ):
        Workspace(Settings(data_folder=tmp_path / "data")).shared_state  # noqa: B018
