"""The HTTP path: retries and waits exactly as declared, redirects at home only, and no secret in any error."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from crm_assets.declarations.models.auth import Auth
from crm_assets.declarations.models.endpoint import ErrorHandler
from crm_assets.declarations.models.simple_auth import ApiKeyAuth, BasicAuth, BearerAuth
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.client import Answer, ApiClient, Traffic
from crm_assets.extract.http.credentials import Credentials, origin
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.http.request import Request
from crm_assets_tests.extract.scripted import Reply, Scripted, scripted

SECRETS = {"api_key": "k3y/with+odd=signs", "username": "ada@stone.example", "password": "pa55word", "token": "t0k3n"}
KEY = ApiKeyAuth(type="api_key")
QUICK = ErrorHandler(backoff_factor=0.02)
OK = Reply(body=b'{"ok": true}')


async def _sent(
    server: Scripted, folder: Path, handler: ErrorHandler, auth: Auth = KEY, request: Request | None = None
) -> tuple[Answer | ReadError, Traffic]:
    traffic = Traffic()
    credentials = Credentials(auth, SECRETS, server.url + "/api")
    async with ApiClient(credentials, RateLimiter(folder / "budget", None), 2, {"X-Client": "tests"}) as session:
        try:
            answer: Answer | ReadError = await session.send(
                request or Request("GET", server.url + "/api/things", {"page": 1}), handler, traffic
            )
        except ReadError as error:
            answer = error
    return answer, traffic


def send(
    folder: Path, replies: Sequence[Reply], handler: ErrorHandler = QUICK, auth: Auth = KEY
) -> tuple[Answer | ReadError, Traffic, Scripted]:
    """Send one request to a server with these replies."""

    async def run() -> tuple[Answer | ReadError, Traffic, Scripted]:
        async with scripted(replies) as server:
            answer, traffic = await _sent(server, folder, handler, auth)
            return answer, traffic, server

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("handler", "waits"),
    [
        (ErrorHandler(backoff_factor=0.1), [0.1, 0.2, 0.4]),
        (ErrorHandler(backoff_constant=0.15), [0.15, 0.15, 0.15]),
        (ErrorHandler(backoff_constant=0.15, max_retries=1), [0.15]),
        (ErrorHandler(max_retries=0), []),
    ],
)
def test_a_status_on_the_list_is_tried_again_as_often_and_as_late_as_declared(
    handler: ErrorHandler, waits: list[float], tmp_path: Path
) -> None:
    error, traffic, server = send(tmp_path, [Reply(503)], handler)
    assert isinstance(error, ReadError)
    assert error.status == 503
    assert ("tried" in error.problem) == bool(waits)
    assert (traffic.requests, traffic.retries, traffic.statuses) == (len(waits) + 1, len(waits), {503: len(waits) + 1})
    assert traffic.seconds_waited == pytest.approx(sum(waits))
    assert all(declared <= wait < declared + 0.25 for wait, declared in zip(server.waits, waits, strict=True))


def test_the_default_waits_are_two_four_and_eight_seconds() -> None:
    assert [ErrorHandler().wait(attempt) for attempt in (1, 2, 3)] == [2.0, 4.0, 8.0]
    assert (ErrorHandler().max_retries, ErrorHandler().retry_on_status_codes) == (3, (429, 500, 502, 503, 504))


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 410, 418, 501, 522])
def test_a_status_off_the_list_is_final(status: int, tmp_path: Path) -> None:
    error, traffic, _ = send(tmp_path, [Reply(status), OK])
    assert isinstance(error, ReadError)
    assert error.status == status
    assert (traffic.requests, traffic.retries) == (1, 0)


def test_an_answer_after_retries_is_an_answer(tmp_path: Path) -> None:
    answer, traffic, _ = send(tmp_path, [Reply(500), Reply(429), OK])
    assert answer == Answer(b'{"ok": true}', "application/json")
    assert (traffic.requests, traffic.retries, traffic.statuses) == (3, 2, {500: 1, 429: 1, 200: 1})
    assert traffic.bytes == len(b"{}") * 2 + len(b'{"ok": true}')


@pytest.mark.parametrize("status", [201, 202, 203, 206])
def test_only_200_and_204_are_pages(status: int, tmp_path: Path) -> None:
    error, _, _ = send(tmp_path, [Reply(status, b"")])
    assert isinstance(error, ReadError)
    assert str(status) in error.problem


def test_a_broken_connection_is_tried_again(tmp_path: Path) -> None:
    answer, traffic, _ = send(tmp_path, [Reply(body=b'{"data": [', hang_up=True), OK])
    assert isinstance(answer, Answer)
    assert (traffic.requests, traffic.retries) == (2, 1)


def test_a_server_that_cannot_be_reached_is_named_and_waited_for_once(tmp_path: Path) -> None:
    traffic, problems = Traffic(), list[str]()

    async def run() -> None:
        credentials = Credentials(KEY, SECRETS, "http://127.0.0.1:9")
        async with ApiClient(credentials, RateLimiter(tmp_path / "budget", None), 1) as session:
            for _ in range(3):
                with pytest.raises(ReadError) as raised:
                    await session.send(Request("GET", "http://127.0.0.1:9/x"), QUICK, traffic)
                problems.append(str(raised.value.at("page 1")))

    asyncio.run(run())
    assert re.match(r"the server cannot be reached at 127.0.0.1:9 .*check base_url \(tried 4 times\)", problems[0])
    assert problems[1:] == problems[:1] * 2
    assert (traffic.requests, traffic.retries) == (6, 3)


def test_a_server_that_answers_again_is_waited_for_again(tmp_path: Path) -> None:
    traffic, gone = Traffic(), Request("GET", "http://127.0.0.1:9/x", anonymous=True)

    async def run() -> None:
        async with scripted([OK]) as server:
            credentials = Credentials(KEY, SECRETS, server.url)
            async with ApiClient(credentials, RateLimiter(tmp_path / "budget", None), 1) as session:
                for request in (gone, Request("GET", server.url + "/x"), gone):
                    with suppress(ReadError):
                        await session.send(request, QUICK, traffic)

    asyncio.run(run())
    assert (traffic.requests, traffic.retries) == (9, 6)


# ------------------------------------------------------------------------------------------------ Retry-After


def test_retry_after_takes_the_place_of_the_declared_wait(tmp_path: Path) -> None:
    slow = ErrorHandler(backoff_constant=30, max_retries=2)
    headers = {"Content-Type": "application/json"}
    replies = [
        Reply(429, headers={**headers, "Retry-After": "0.3"}),
        Reply(503, headers={**headers, "Retry-After": "0"}),
        OK,
    ]
    answer, traffic, server = send(tmp_path, replies, slow)
    assert isinstance(answer, Answer)
    assert traffic.retries == 2
    assert 0.3 <= server.waits[0] < 0.6
    assert server.waits[1] < 0.25


@pytest.mark.parametrize("reset", ["0.4", "moment", "moment in milliseconds"])
def test_an_exhausted_quota_holds_back_the_next_request(reset: str, tmp_path: Path) -> None:
    async def run() -> list[float]:
        moment = time.time() + 0.4
        told = {"moment": f"{moment:.3f}", "moment in milliseconds": f"{moment * 1000:.0f}"}.get(reset, reset)
        headers = {"Content-Type": "application/json", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": told}
        async with scripted([Reply(headers=headers), OK]) as server:
            credentials = Credentials(KEY, SECRETS, server.url)
            async with ApiClient(credentials, RateLimiter(tmp_path / "budget", None), 1) as session:
                for _ in range(2):
                    await session.send(Request("GET", server.url), QUICK, Traffic())
            return server.waits

    (wait,) = asyncio.run(run())
    assert 0.35 <= wait < 0.7


# ------------------------------------------------------------------------------------------------ redirects


def test_a_redirect_at_home_keeps_method_body_and_credentials(tmp_path: Path) -> None:
    async def run() -> tuple[Any, Scripted]:
        async with scripted([Reply(307, b"", {"Location": "/api/v2/things?page=1"}), OK]) as server:
            request = Request("POST", server.url + "/api/things", {}, {"Function": "GetThings"})
            return (await _sent(server, tmp_path, QUICK, request=request))[0], server

    answer, server = asyncio.run(run())
    assert isinstance(answer, Answer)
    assert [(heard.method, heard.target, heard.body) for heard in server.heard] == [
        ("POST", "/api/things", b'{"Function": "GetThings"}'),
        ("POST", "/api/v2/things?page=1", b'{"Function": "GetThings"}'),
    ]
    assert [heard.headers["Authorization"] for heard in server.heard] == [SECRETS["api_key"]] * 2
    assert [heard.headers["X-Client"] for heard in server.heard] == ["tests"] * 2


def test_a_key_in_the_query_is_sent_once_wherever_a_link_or_redirect_leads(tmp_path: Path) -> None:
    auth = ApiKeyAuth(type="api_key", name="key", location="query")

    async def run() -> Scripted:
        async with scripted([Reply(302, b"", {"Location": "/b?page=1"}), OK]) as server:
            request = Request("GET", server.url + "/a?key=hidden&q=%C3%BC")
            assert isinstance((await _sent(server, tmp_path, QUICK, request=request, auth=auth))[0], Answer)
            return server

    key = quote(SECRETS["api_key"], safe="")
    assert [heard.target for heard in asyncio.run(run()).heard] == [f"/a?q=%C3%BC&key={key}", f"/b?page=1&key={key}"]


def test_a_declared_address_is_encoded_as_a_browser_would(tmp_path: Path) -> None:
    async def run() -> Scripted:
        async with scripted([OK]) as server:
            request = Request("GET", server.url + "/api/All thíngs%20/x?q=a b&r=%C3%BC|+")
            await _sent(server, tmp_path, QUICK, request=request)
            return server

    assert [heard.target for heard in asyncio.run(run()).heard] == ["/api/All%20th%C3%ADngs%20/x?q=a%20b&r=%C3%BC%7C+"]


def test_a_redirect_to_another_host_is_never_followed(tmp_path: Path) -> None:
    async def run() -> tuple[Any, list[Any]]:
        async with scripted([OK]) as stranger, scripted([Reply(302, b"", {"Location": stranger.url + "/x"})]) as server:
            return (await _sent(server, tmp_path, QUICK))[0], stranger.heard

    error, heard = asyncio.run(run())
    assert isinstance(error, ReadError)
    assert "points at another address (http://127.0.0.1:" in error.problem
    assert not heard


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("/api/things?page=1", "redirects in a loop"),
        ("//crm.elsewhere.example/api", "another address (http://crm.elsewhere.example:80)"),
        ("https://127.0.0.1/api", "another address (https://127.0.0.1:443)"),
        ("http://127.0.0.1:port/api", "not a valid address"),
        ("http://[oops/", "not a valid address"),
    ],
)
def test_other_redirects_are_refused_in_words(location: str, problem: str, tmp_path: Path) -> None:
    error, traffic, _ = send(tmp_path, [Reply(301, b"", {"Location": location})])
    assert isinstance(error, ReadError)
    assert problem in error.problem
    assert (error.status, traffic.retries) == (301, 0)


def test_a_redirect_without_a_target_is_an_error(tmp_path: Path) -> None:
    error, _, _ = send(tmp_path, [Reply(304, b"", {})])
    assert isinstance(error, ReadError)
    assert error.status == 304


# ------------------------------------------------------------------------------------------------ credentials


@pytest.mark.parametrize(
    ("auth", "headers", "target"),
    [
        (KEY, {"Authorization": SECRETS["api_key"]}, "/api/things?page=1"),
        (ApiKeyAuth(type="api_key", name="X-Key"), {"X-Key": SECRETS["api_key"]}, "/api/things?page=1"),
        (
            ApiKeyAuth(type="api_key", value="Token token={api_key}"),
            {"Authorization": f"Token token={SECRETS['api_key']}"},
            "/api/things?page=1",
        ),
        (
            ApiKeyAuth(type="api_key", name="key", location="query"),
            {},
            "/api/things?page=1&key=k3y%2Fwith%2Bodd%3Dsigns",
        ),
        (BearerAuth(type="bearer"), {"Authorization": "Bearer t0k3n"}, "/api/things?page=1"),
        (
            BasicAuth(type="basic"),
            {"Authorization": "Basic " + base64.b64encode(b"ada@stone.example:pa55word").decode()},
            "/api/things?page=1",
        ),
    ],
)
def test_each_kind_of_credential_goes_where_it_is_declared(
    auth: Auth, headers: dict[str, str], target: str, tmp_path: Path
) -> None:
    answer, _, server = send(tmp_path, [OK], auth=auth)
    assert isinstance(answer, Answer)
    (heard,) = server.heard
    assert heard.target == target
    assert {name: heard.headers.get(name) for name in ("Authorization", "X-Key")} == {
        "Authorization": None,
        "X-Key": None,
        **headers,
    }


@pytest.mark.parametrize(
    "auth",
    [
        KEY,
        ApiKeyAuth(type="api_key", value="Token token={api_key}"),
        ApiKeyAuth(type="api_key", name="key", location="query"),
        BearerAuth(type="bearer"),
        BasicAuth(type="basic"),
    ],
)
def test_no_error_shows_a_secret_however_the_server_echoes_it(auth: Auth, tmp_path: Path) -> None:
    pair = base64.b64encode(b"ada@stone.example:pa55word").decode()
    echoes = [*SECRETS.values(), quote(SECRETS["api_key"], safe=""), pair, f"Token token={SECRETS['api_key']}"]
    for echo in echoes:
        body = f'{{"error": "the credential {echo} is unknown"}}'.encode()
        error, _, _ = send(tmp_path, [Reply(403, body)], auth=auth)
        assert isinstance(error, ReadError)
        assert "the credential *** is unknown" in error.problem or echo not in _sent_secrets(auth)
        for secret in _sent_secrets(auth):
            assert secret not in error.problem


def _sent_secrets(auth: Auth) -> list[str]:
    """What is secret in a request with this authentication: the values themselves and the forms they are sent in."""
    plain = [SECRETS[name] for name in auth.secrets]
    forms = [base64.b64encode(":".join(plain).encode()).decode()] if isinstance(auth, BasicAuth) else []
    return [*plain, *(quote(value, safe="") for value in plain), *forms]


def test_credentials_do_not_show_themselves() -> None:
    credentials = Credentials(BasicAuth(type="basic"), SECRETS, "https://crm.example")
    assert not any(secret in f"{credentials!r} {credentials}" for secret in SECRETS.values())


@pytest.mark.parametrize(
    ("url", "home"),
    [
        ("https://crm.example/other", True),
        ("https://CRM.example:443/", True),
        ("http://crm.example/", False),
        ("https://crm.example:8443/", False),
        ("https://crm.example.evil.example/", False),
        ("https://crm.example@evil.example/", False),
        ("https://sub.crm.example/", False),
    ],
)
def test_home_is_one_scheme_host_and_port(url: str, home: bool) -> None:
    assert (origin(url) == origin("https://crm.example/api")) is home
    credentials = Credentials(KEY, SECRETS, "https://crm.example/api")
    if home:
        assert credentials.headers(url)
    else:
        with pytest.raises(ReadError, match="another address"):
            credentials.headers(url)


# ------------------------------------------------------------------------------------------------ what the server says


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, '{"ErrorCode": "9k2m", "ErrorDescription": "Invalid credentials."}', "(it says: Invalid credentials)"),
        (422, '{"success": false, "message": ["No name", "No date"]}', "(it says: No name; No date)"),
        (400, '{"errors": [{"title": "Invalid filter", "detail": "Page: -1"}]}', "(it says: Page: -1)"),
        (400, '{"error": {"message": "nested  \\n words"}}', "(it says: nested words)"),
        (401, '{"errors": {"name": ["is missing"]}}', "(it says: name is missing)"),
        (402, '"Internal Error"', "(it says: Internal Error)"),
        (403, "[1, 2]", "403 Forbidden: the key has no permission for this list"),
        (
            404,
            "<html><h1>Nothing</h1></html>",
            "404 Not Found: there is nothing at this address; check base_url and params",
        ),
        (418, '{"message": "' + "x" * 500 + '"}', "x" * 200 + ")"),
        (799, "{", "the server answered 799"),
    ],
)
def test_the_message_of_an_error_body_is_passed_on(status: int, body: str, said: str, tmp_path: Path) -> None:
    kind = "text/html" if body.startswith("<") else "application/json; charset=utf-8"
    error, _, _ = send(tmp_path, [Reply(status, body.encode(), {"Content-Type": kind})])
    assert isinstance(error, ReadError)
    assert error.problem.endswith(said)
    assert "<h1>" not in error.problem
