"""Logins: every grant, renewal in the middle of a read, refresh tokens that change, and what is said when it fails."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import stat
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from crm_assets.declarations import Connection
from crm_assets.declarations.loader import parse_system
from crm_assets.extract.fetch import ReadResult, fetch
from crm_assets.extract.http import login
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.http.tokens import TokenStores, token_stores
from crm_assets.extract.read_report import ReadTask
from crm_assets.sandbox import sandbox_secrets
from crm_assets_tests.extract.oauth_server import CLIENT, REFRESH, USER, oauth_server
from crm_assets_tests.faults import FaultySandbox, serve

SECRETS = {
    "client_id": CLIENT[0],
    "client_secret": CLIENT[1],
    "refresh_token": REFRESH,
    "username": USER[0],
    "password": USER[1],
}
CLIENT_CREDENTIALS = {"type": "oauth2_client_credentials", "access_token_url": "/oauth/token"}
REFRESH_TOKEN = {"type": "oauth2_refresh_token", "access_token_url": "/oauth/token"}
PASSWORD = {"type": "oauth2_password", "access_token_url": "/oauth/token"}
SESSION = {
    "type": "session_token",
    "login": {"url": "/login", "json": {"user": "{username}", "secret": "{password}"}},
    "access_token_path": "data.session.key",
    "expires_in_path": "data.session.ttl",
    "name": "X-Session",
    "value": "{access_token}",
}


def connection_at(url: str, auth: Any, *lists: dict[str, Any], **keys: Any) -> Connection:
    """Return a connection to that server, with a list ``things`` of pages of ten."""
    endpoint = {
        "path": "/api/things",
        "data_selector": "items",
        "paginator": {"type": "page_number", "end": "empty_page"},
        "error_handler": {"backoff_constant": 0.05},
    }
    resource = {"name": "things", "primary_key": "id", "endpoint": endpoint, "columns": {"id": "bigint"}}
    more = [{**resource, **one, "endpoint": {**endpoint, **one.get("endpoint", {})}} for one in lists]
    client = {"base_url": url, **({"auth": auth} if auth is not None else {})}
    system = parse_system({"name": "desk", "client": client, "resources": [resource, *more]})
    return Connection.model_validate({"name": "desk", "system": "desk", "base_url": url, "_system": system, **keys})


def read(connection: Connection, folder: Path, stores: TokenStores | None = None, **secrets: str) -> list[ReadResult]:
    """Read all lists of a connection."""
    tasks = [ReadTask(resource) for resource in connection.system.resources]
    spools = folder / f"spools-{time.monotonic_ns()}"
    spools.mkdir()
    return fetch(connection, tasks, {**SECRETS, **secrets}, spools, RateLimiter(folder / "budget", None), stores=stores)


def count(reading: ReadResult) -> int:
    """Return the number of rows a read brought."""
    assert reading.staged is not None, reading.report.reason
    return reading.report.rows


@pytest.mark.parametrize(
    ("auth", "grant"),
    [
        (CLIENT_CREDENTIALS, {"grant_type": "client_credentials", "client_id": CLIENT[0], "client_secret": CLIENT[1]}),
        (REFRESH_TOKEN, {"grant_type": "refresh_token", "refresh_token": REFRESH}),
        (PASSWORD, {"grant_type": "password", "username": USER[0], "password": USER[1]}),
        (SESSION, {"user": USER[0], "secret": USER[1]}),
        (
            {**CLIENT_CREDENTIALS, "access_token_request_data": {"scope": "read all", "audience": "crm"}},
            {"scope": "read all", "audience": "crm", "_content_type": "application/x-www-form-urlencoded"},
        ),
        ({**CLIENT_CREDENTIALS, "request_format": "json"}, {"_content_type": "application/json"}),
        (
            {**CLIENT_CREDENTIALS, "client_authentication": "basic"},
            {"_header": "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode()},
        ),
    ],
)
def test_each_grant_logs_in_once_and_reads_everything(
    auth: dict[str, Any], grant: dict[str, str], tmp_path: Path
) -> None:
    with oauth_server() as server:
        (reading,) = read(connection_at(server.url, auth), tmp_path)
        assert count(reading) == 50
        (asked,) = server.token_requests
        assert {key: asked[key] for key in grant} == grant
        assert all(entry.endswith(" 200") for entry in server.requests)


@pytest.mark.parametrize("auth", [CLIENT_CREDENTIALS, REFRESH_TOKEN, PASSWORD, SESSION])
def test_a_token_that_ends_in_the_middle_of_a_read_is_renewed(auth: dict[str, Any], tmp_path: Path) -> None:
    """It is worthless after ten requests, whatever was said of its time."""

    with oauth_server(uses=10, rows=500) as server:
        (reading,) = read(connection_at(server.url, auth), tmp_path)
        assert count(reading) == 500
        assert len(server.token_requests) in range(5, 8)
        assert reading.report.retries == 0


def test_a_token_is_renewed_before_its_time_is_over(tmp_path: Path) -> None:
    with oauth_server(seconds=2) as server:
        connection = connection_at(server.url, CLIENT_CREDENTIALS, concurrency=1).model_copy(
            update={"rate_limit": None}
        )
        budget = RateLimiter(tmp_path / "budget", None)
        (tmp_path / "spools").mkdir()
        original = budget.acquire

        async def slow() -> tuple[float, float]:
            await asyncio.sleep(0.5)
            return await original()

        budget.acquire = slow  # type: ignore[method-assign]
        task = ReadTask(connection.system.resources[0])
        (reading,) = fetch(connection, [task], SECRETS, tmp_path / "spools", budget)
        assert count(reading) == 50
        assert len(server.token_requests) >= 2
        assert not [entry for entry in server.requests if entry.endswith(" 401")]


@pytest.mark.parametrize("seconds", [None, 0, -5, "3600", "soon", 1e300])
def test_a_server_may_say_anything_of_a_tokens_time(seconds: Any, tmp_path: Path) -> None:
    with oauth_server(seconds=seconds) as server:
        (reading,) = read(connection_at(server.url, CLIENT_CREDENTIALS), tmp_path)
        assert count(reading) == 50
        assert len(server.token_requests) == 1


# ------------------------------------------------------------------------------------------------ refresh tokens


def test_a_rotating_refresh_token_is_kept_for_the_next_run_and_for_nobody_else(tmp_path: Path) -> None:
    stores = token_stores("desk", tmp_path)

    with oauth_server(rotates=True) as server:
        connection = connection_at(server.url, REFRESH_TOKEN)
        for _ in range(3):
            assert count(read(connection, tmp_path, stores)[0]) == 50
            server.invalidate()
        assert [asked["refresh_token"] for asked in server.token_requests] == server.refresh_tokens[:-1]
        kept = list((tmp_path / "tokens").iterdir())
        assert {stat.S_IMODE(path.stat().st_mode) for path in kept if path.suffix == ".json"} == {0o600}
        assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o700
        assert (
            json.loads((tmp_path / "tokens" / "desk.refresh_token.json").read_text())["refresh_token"]
            == (server.refresh_tokens[-1])
        )


def test_a_refresh_token_that_comes_when_the_read_was_stopped_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "_LAST_SECONDS", 60)

    with oauth_server(rotates=True, interrupts=True) as server:
        connection, stores = connection_at(server.url, REFRESH_TOKEN), token_stores("desk", tmp_path)
        with pytest.raises(KeyboardInterrupt):
            read(connection, tmp_path, stores)
        server.invalidate()
        server.interrupts = False
        assert count(read(connection, tmp_path, stores)[0]) == 50


def test_a_token_that_is_still_valid_is_used_by_the_next_run(tmp_path: Path) -> None:
    stores = token_stores("desk", tmp_path)

    with oauth_server() as server:
        for _ in range(3):
            assert count(read(connection_at(server.url, REFRESH_TOKEN), tmp_path, stores)[0]) == 50
        assert len(server.token_requests) == 1


def test_a_new_consent_takes_the_place_of_what_was_kept(tmp_path: Path) -> None:
    stores = token_stores("desk", tmp_path)

    with oauth_server(rotates=True) as server:
        connection = connection_at(server.url, REFRESH_TOKEN)
        read(connection, tmp_path, stores)
        server.refresh_tokens.append("refresh-t0ken-of-a-new-consent")
        server.invalidate()
        (reading,) = read(connection, tmp_path, stores, refresh_token="refresh-t0ken-of-a-new-consent")
        assert count(reading) == 50
        assert server.token_requests[-1]["refresh_token"] == "refresh-t0ken-of-a-new-consent"


def test_a_kept_refresh_token_that_is_worthless_gives_way_to_the_configured_one(tmp_path: Path) -> None:
    stores = token_stores("desk", tmp_path)

    with oauth_server(rotates=True) as server:
        connection = connection_at(server.url, REFRESH_TOKEN)
        read(connection, tmp_path, stores)
        server.refresh_tokens.append(REFRESH)
        server.invalidate()
        assert count(read(connection, tmp_path, stores)[0]) == 50
        assert [asked["refresh_token"] for asked in server.token_requests[-2:]] == ["refresh-t0ken-1", REFRESH]


@pytest.mark.parametrize("content", [b"", b"{", b'{"access_token": 1}', b"\xff" * 100])
def test_a_damaged_file_is_as_good_as_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "desk.refresh_token.json").write_bytes(content)

    with oauth_server() as server:
        connection = connection_at(server.url, REFRESH_TOKEN)
        assert count(read(connection, tmp_path, token_stores("desk", tmp_path))[0]) == 50


def test_no_refresh_token_is_spent_where_its_successor_could_not_be_kept(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("a file where the folder should be")

    with oauth_server(rotates=True) as server:
        connection = connection_at(server.url, REFRESH_TOKEN)
        (reading,) = read(connection, tmp_path, token_stores("desk", tmp_path))
        assert "a new refresh token would be lost" in reading.report.reason
        assert server.token_requests == []


def test_many_lists_at_once_spend_one_refresh_token(tmp_path: Path) -> None:
    lists = [{"name": f"list{number}", "endpoint": {"path": f"/api/list{number}"}} for number in range(6)]

    with oauth_server(rotates=True) as server:
        connection = connection_at(server.url, REFRESH_TOKEN, *lists)
        readings = read(connection, tmp_path, token_stores("desk", tmp_path))
        assert [count(reading) for reading in readings] == [50] * 7
        assert len(server.token_requests) == 1


# ------------------------------------------------------------------------------------------------ what is said


def test_consent_that_was_taken_back_is_one_sentence(tmp_path: Path) -> None:
    lists = [{"name": f"list{number}", "endpoint": {"path": f"/api/list{number}"}} for number in range(3)]

    with oauth_server(revoked=True) as server:
        readings = read(connection_at(server.url, REFRESH_TOKEN, *lists), tmp_path)
        for reading in readings:
            assert (
                f"the consent was withdrawn: {server.url}/oauth/token no longer accepts the refresh token "
                f"(it says: token *** was revoked); give consent again and set the secret refresh_token to the new "
                f"refresh token" in reading.report.reason
            )
        assert len(server.token_requests) == 1, "nobody tries again and again"
        assert server.requests == []


@pytest.mark.parametrize(
    ("auth", "secrets", "sentence"),
    [
        (CLIENT_CREDENTIALS, {"client_secret": "wr0ng-secret"}, "answered with 401 (it says: no client"),
        (PASSWORD, {"password": "wr0ng-password"}, "400 (it says: wrong password); check client_id and client_secret"),
        (SESSION, {"password": "wr0ng-password"}, "403 (it says: {'user': 'ada', 'secret': '***'} is wrong)"),
        (
            {**CLIENT_CREDENTIALS, "access_token_path": "token"},
            {},
            "no token at 'token'; it contains: access_token",
        ),
        ({**CLIENT_CREDENTIALS, "access_token_url": "/moved/token"}, {}, "secrets are not sent elsewhere"),
        ({**CLIENT_CREDENTIALS, "access_token_url": "/nothing"}, {}, "answered with 404; check its address"),
        (
            {**CLIENT_CREDENTIALS, "access_token_url": "http://127.0.0.1:9/token"},
            {},
            "the login failed: the server cannot be reached at 127.0.0.1:9",
        ),
    ],
)
def test_a_login_that_fails_says_why(
    auth: dict[str, Any], secrets: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    with oauth_server() as server:
        (reading,) = read(connection_at(server.url, auth), tmp_path, **secrets)
        assert sentence in reading.report.reason
        assert server.requests == []


def test_a_login_is_tried_again_after_a_passing_fault(tmp_path: Path) -> None:
    with oauth_server(outages=2) as server:
        assert count(read(connection_at(server.url, CLIENT_CREDENTIALS), tmp_path)[0]) == 50
        assert len(server.token_requests) == 3


def test_a_login_that_is_down_does_not_blame_the_secrets(tmp_path: Path) -> None:
    with oauth_server(outages=3) as server:
        (reading,) = read(connection_at(server.url, CLIENT_CREDENTIALS), tmp_path)
    assert "answered with 503" in reading.report.reason
    assert "the secrets were neither accepted nor refused; run again later" in reading.report.reason


def test_a_list_that_is_forbidden_to_every_token_does_not_log_in_for_ever(tmp_path: Path) -> None:
    secret = {"name": "secret", "endpoint": {"path": "/api/secret"}}

    with oauth_server(forbidden=("/api/secret",)) as server:
        things, forbidden = read(connection_at(server.url, CLIENT_CREDENTIALS, secret), tmp_path)
        assert count(things) == 50
        assert "401" in forbidden.report.reason
        assert len(server.token_requests) <= 3


def test_no_token_is_shown_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The server repeats what it is sent in every error; refresh and access tokens are in none of ours."""
    caplog.set_level(logging.DEBUG)
    forbidden = {"name": "secret", "endpoint": {"path": "/api/secret"}}

    with oauth_server(rotates=True, forbidden=("/api/secret",)) as server:
        connection = connection_at(server.url, REFRESH_TOKEN, forbidden)
        said = [reading.report.reason for reading in read(connection, tmp_path, token_stores("desk", tmp_path))]
        server.revoked = True
        server.invalidate()
        said += [reading.report.reason for reading in read(connection, tmp_path, token_stores("desk", tmp_path))]
        tokens = [*server.refresh_tokens, *server._tokens]
    assert len(tokens) > 3
    text = " ".join([*said, caplog.text])
    for secret in [*tokens, *CLIENT, quote_plus(CLIENT[1])]:
        assert secret not in text
    assert "***" in text


# ------------------------------------------------------------------------------------------------ where it goes


def test_a_connection_names_its_own_login(tmp_path: Path) -> None:
    with oauth_server() as server:
        auth = {**CLIENT_CREDENTIALS, "access_token_url": "https://login.example.com/token"}
        connection = connection_at(server.url, auth, token_url=f"{server.url}/oauth/token")
        from crm_assets.declarations.connection_overrides import apply_connection

        assert count(read(apply_connection(connection), tmp_path)[0]) == 50


def test_secrets_of_a_login_are_not_sent_unencrypted() -> None:
    auth = {**CLIENT_CREDENTIALS, "access_token_url": "http://login.crm-vendor.net/token"}
    problem = connection_at("https://api.crm-vendor.net", auth).unusable()
    assert problem == (
        "Connection desk would send its secrets unencrypted to login.crm-vendor.net: set token_url to https://."
    )


def test_a_list_may_have_an_authentication_of_its_own(tmp_path: Path) -> None:
    with oauth_server() as server:
        own = {"name": "others", "endpoint": {"path": "/api/others", "auth": SESSION, "headers": {"X-Version": "2"}}}
        connection = connection_at(server.url, CLIENT_CREDENTIALS, own)
        assert connection.system.secrets == ("client_id", "client_secret", "username", "password")
        assert [count(reading) for reading in read(connection, tmp_path)] == [50, 50]
        assert len(server.token_requests) == 2


@pytest.mark.parametrize(
    "auth", [CLIENT_CREDENTIALS, {**REFRESH_TOKEN, "client_authentication": "basic"}, PASSWORD, SESSION]
)
def test_the_sandbox_serves_what_is_declared(auth: dict[str, Any], tmp_path: Path) -> None:
    """An absolute address of the login is served below the connection's own, as `CRM_ASSETS_SANDBOX` points it."""
    moved = {**auth, "access_token_url": "https://login.vendor.example/oauth/token"} if "login" not in auth else auth
    keys = {"name": "keys", "endpoint": {"path": "/keys", "auth": {"type": "api_key", "api_key": "own_key"}}}
    connection = connection_at("https://api.vendor.example", moved, keys)
    with serve(FaultySandbox([connection], rows=25)) as url:
        pointed = connection.at(f"{url}/desk")
        readings = read(pointed, tmp_path, **sandbox_secrets(connection))
        assert [count(reading) for reading in readings] == [len(_rows(connection, name)) for name in ("things", "keys")]
        refused = read(pointed, tmp_path, **{**sandbox_secrets(connection), **dict.fromkeys(SECRETS, "wr0ng")})
        assert "The login is missing" in refused[0].report.reason


def _rows(connection: Connection, resource: str) -> list[dict[str, Any]]:
    return FaultySandbox([connection], rows=25).rows("desk", resource)
