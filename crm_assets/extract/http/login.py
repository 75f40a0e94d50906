"""Get the token a request needs, and a new one when it is no longer valid."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import msgspec

from crm_assets.declarations.json_path import dig, path_text
from crm_assets.declarations.models.base import fill
from crm_assets.declarations.models.simple_auth import basic_header
from crm_assets.declarations.models.token_auth import OAuth2Auth, RefreshTokenAuth, SessionTokenAuth, TokenAuth
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.rate_headers import retry_after
from crm_assets.extract.http.tokens import Token, TokenStore, fingerprint
from crm_assets.extract.http.transport import Response

_EARLY = 30.0
"""Seconds before its end at which a token is renewed, but no more than a quarter of its time: requests take a while."""
_SHORTEST_LIFE, _LONGEST_LIFE = 2.0, 10 * 366 * 86_400.0
"""Bounds of a token's time in seconds, whatever the server says."""
_LOGIN_TRIES, _LONGEST_WAIT = 3, 60.0
"""How often a login is tried that fails for a passing reason, and for how many seconds a server may ask to wait."""
_LAST_SECONDS = 2.0
"""Seconds a login has left when its read is stopped: a server that has the refresh token may take no other one than the
answer brings. Less than a worker has to stop."""
_TEMPORARY = frozenset({429, 500, 502, 503, 504})
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, repr=False)
class LoginCall:
    """A request for a token."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


SendLogin = Callable[[LoginCall], Awaitable[Response]]
"""Sends a request for a token; redirects are not followed. Raises a :class:`ReadError` where no answer came."""


class Login:
    """Holds the token of one connection.

    Args:
        auth: How tokens are issued.
        secrets: Secret name to value.
        url: Address of the login.
        store: Keeps tokens between runs.
        send: Sends a request for a token.
        remember: Told each token, to keep it out of everything that is said.
    """

    def __init__(
        self,
        auth: TokenAuth,
        secrets: Mapping[str, str],
        url: str,
        store: TokenStore,
        send: SendLogin,
        remember: Callable[[str], None],
    ) -> None:
        self._auth = auth
        self._secrets = dict(secrets)
        self._url = url
        self._store = store
        self._send = send
        self._remember = remember
        self._token: Token | None = None
        self._failure: ReadError | None = None
        self._renewing = asyncio.Lock()

    async def token(self, refused: str = "") -> str:
        """Return a token that is valid now.

        Args:
            refused: A token the API did not accept.

        Raises:
            ReadError: The login failed; the message says what to do. It is not tried again.
        """
        async with self._renewing:
            if self._failure:
                raise self._failure.worded(self._failure.problem)
            if not (self._token and self._is_usable(self._token, refused)):
                try:
                    self._token = await _finished(self._in_turn(refused))
                except ReadError as error:
                    self._failure = error
                    raise
            return self._token.access_token

    async def _in_turn(self, refused: str) -> Token:
        async with self._store.turn():
            return await self._next(refused)

    async def _next(self, refused: str) -> Token:
        """Return the token another process has got meanwhile, or a new one."""
        stored = self._stored()
        return stored if stored and self._is_usable(stored, refused) else await self._renewed(stored)

    def _is_usable(self, token: Token, refused: str) -> bool:
        return token.access_token != refused and token.expires_at > time.time()

    def _stored(self) -> Token | None:
        token = self._store.load()
        if token is None or token.configured != self._configured:
            return None
        self._remember(token.access_token)
        self._remember(token.refresh_token)
        return replace(token, expires_at=min(token.expires_at, time.time() + _LONGEST_LIFE))

    @property
    def _configured(self) -> str:
        return fingerprint(self._secrets[self._auth.refresh_token]) if isinstance(self._auth, RefreshTokenAuth) else ""

    async def _renewed(self, stored: Token | None) -> Token:
        """Log in, with the refresh token that was issued last, or else with the configured one."""
        self._store.prepare()
        replaced = stored.refresh_token if stored else ""
        answer = await self._answer(replaced)
        if replaced and _error_code(answer) == "invalid_grant":
            answer, replaced = await self._answer(""), ""
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            raise self._refusal(answer)
        token = self._parsed(answer, replaced)
        self._store.save(token)
        return token

    async def _answer(self, refresh_token: str) -> Response:
        call = login_call(self._auth, self._secrets, self._url, refresh_token)
        for attempt in range(1, _LOGIN_TRIES + 1):
            answer = await self._send(call)
            wait = retry_after(answer.headers, time.time())
            wait = 2.0**attempt if wait is None else wait
            if answer.status not in _TEMPORARY or attempt == _LOGIN_TRIES or wait > _LONGEST_WAIT:
                break
            await asyncio.sleep(wait)
        return answer

    def _parsed(self, answer: Response, replaced: str) -> Token:
        body = _json_or_none(answer.body)
        header = self._auth.access_token_header if isinstance(self._auth, SessionTokenAuth) else None
        access_token = answer.headers.get(header) if header else dig(body, self._auth.access_token_path)
        place = f"the header {header}" if header else repr(path_text(self._auth.access_token_path))
        if not isinstance(access_token, str) or not access_token or not access_token.isascii():
            raise ReadError(
                f"the login at {self._url} was accepted, but returned no token at {place}{_keys_text(body)}"
            )
        if not access_token.isprintable():
            raise ReadError(f"the token returned by the login at {self._url} cannot be sent in a header")
        new = dig(body, self._auth.refresh_token_path) if isinstance(self._auth, RefreshTokenAuth) else ""
        refresh_token = new if isinstance(new, str) and new else replaced
        for secret in (access_token, refresh_token):
            self._remember(secret)
        seconds = _seconds(dig(body, self._auth.expires_in_path), self._auth.default_token_expiration)
        early = min(_EARLY, seconds / 4)
        return Token(access_token, time.time() + seconds - early, refresh_token, self._configured)

    def _refusal(self, answer: Response) -> ReadError:
        code = _error_code(answer)
        body = _json_or_none(answer.body)
        said = dig(body, ("error_description",)) or code or dig(body, ("message",)) or dig(body, ("error",))
        says = f" (it says: {' '.join(str(said).split())[:200]})" if isinstance(said, str) and said else ""
        if code == "invalid_grant" and isinstance(self._auth, RefreshTokenAuth):
            problem = (
                f"the consent was withdrawn: {self._url} no longer accepts the refresh token{says}; "
                f"give consent again and set the secret {self._auth.refresh_token} to the new refresh token"
            )
        elif 300 <= answer.status < 400:
            problem = f"the login at {self._url} redirects, and secrets are not sent elsewhere; check its address"
        else:
            problem = f"the login at {self._url} was answered with {answer.status}{says}; {self._advice(answer.status)}"
        return ReadError(problem)

    def _advice(self, status: int) -> str:
        if status in _TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return "the secrets were neither accepted nor refused; run again later"
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE):
            return "check its address"
        return f"check {' and '.join(self._auth.secrets)}"


async def _finished(work: Coroutine[Any, Any, Token]) -> Token:
    """Wait for a token; when the read is stopped meanwhile, it may still come and be kept."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_LAST_SECONDS)
        raise


def login_call(auth: TokenAuth, secrets: Mapping[str, str], url: str, refresh_token: str = "") -> LoginCall:
    """Return the request that asks for a token.

    Args:
        auth: How tokens are issued.
        secrets: Secret name to value.
        url: Address of the login.
        refresh_token: Takes the place of the configured one.
    """
    if isinstance(auth, SessionTokenAuth):
        login = auth.login
        query = urlencode(fill(login.params, secrets))
        headers, body = {key: str(fill(value, secrets)) for key, value in login.headers.items()}, None
        if login.json_body is not None:
            headers, body = {"Content-Type": "application/json", **headers}, _json_bytes(fill(login.json_body, secrets))
        elif login.form is not None:
            headers, body = {**_FORM, **headers}, urlencode(fill(login.form, secrets)).encode()
        return LoginCall(login.method, f"{url}{'?' if query else ''}{query}", headers, body)
    if not isinstance(auth, OAuth2Auth):
        raise TypeError(f"{type(auth).__name__} returns no token")
    values = dict(secrets)
    if isinstance(auth, RefreshTokenAuth) and refresh_token:
        values[auth.refresh_token] = refresh_token
    fields: dict[str, Any] = {**fill(auth.grant, values), **auth.access_token_request_data}
    client = {"client_id": secrets[auth.client_id]}
    client |= {"client_secret": secrets[auth.client_secret]} if auth.client_secret else {}
    headers = {"Accept": "application/json"}
    if auth.client_authentication == "basic":
        headers["Authorization"] = basic_header(client["client_id"], client.get("client_secret", ""))
    else:
        fields = {**client, **fields}
    if auth.request_format == "json":
        return LoginCall("POST", url, {**headers, "Content-Type": "application/json"}, _json_bytes(fields))
    return LoginCall("POST", url, {**headers, **_FORM}, urlencode(fields).encode())


def _json_bytes(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _json_or_none(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _error_code(answer: Response) -> str:
    code = dig(_json_or_none(answer.body), ("error",)) if answer.status in (400, 401, 403) else None
    return code if isinstance(code, str) else ""


def _keys_text(body: Any) -> str:
    return f"; it contains: {', '.join(sorted(body)[:8])}" if isinstance(body, dict) and body else ""


def _seconds(value: Any, default: int) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return float(default)
    return (
        min(max(seconds, _SHORTEST_LIFE), _LONGEST_LIFE) if math.isfinite(seconds) and seconds > 0 else float(default)
    )
