"""The one HTTP path: pace, credentials, retries by declaration, and errors in words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType

import aiohttp
import yarl

from crm_assets.declarations.models.endpoint import ErrorHandler
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.content_encoding import ACCEPTED, BrokenBodyError, decoded
from crm_assets.extract.http.credentials import Credentials, resolve_url
from crm_assets.extract.http.error_body import error_message
from crm_assets.extract.http.proxies import proxy_of
from crm_assets.extract.http.rate_headers import exhausted_for, requested_wait
from crm_assets.extract.http.rate_limiter import PATIENCE, RateLimiter, stay_away
from crm_assets.extract.http.request import Request

_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=30, sock_read=60)
_LEAST_WAIT = 1.0
"""Seconds to wait after a second refusal in a row, where the declared wait is not shorter."""
_TRANSPORT = (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError, BrokenBodyError)
_PAGES = (HTTPStatus.OK, HTTPStatus.NO_CONTENT)
"""Statuses of a page; 204 is how some APIs say that a list is empty."""
_HINTS = {
    401: "the key was refused, or may not read this list; check the connection's secrets and the key's permissions",
    402: "the subscription does not include this part of the API",
    403: "the key has no permission for this list",
    404: "there is nothing at this address; check base_url and params",
}


@dataclass
class Traffic:
    """What one resource's reading cost."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    seconds_waited: float = 0.0
    """Waiting for the rate limit and between retries."""
    seconds_in_flight: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A successful answer."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Headers of the answer; names in any case."""
    status: int = HTTPStatus.OK

    @property
    def encoding(self) -> str:
        """How the body was compressed, or an empty text."""
        return self.headers.get("Content-Encoding", "")


@dataclass(frozen=True)
class Retry:
    """An attempt that brought no page."""

    error: ReadError
    wait: float | None = None
    """Seconds until the next attempt; ``None`` where another one would not help."""


class ApiClient:
    """Sends the requests of one connection.

    Args:
        credentials: Put on every request, for the connection's own origin only.
        budget: The connection's rate budget.
        concurrency: Requests in flight at once.
        headers: Further headers of every request.
    """

    def __init__(
        self, credentials: Credentials, budget: RateLimiter, concurrency: int, headers: Mapping[str, str] | None = None
    ) -> None:
        self._credentials = credentials
        self._budget = budget
        self._slots = asyncio.Semaphore(concurrency)
        self._headers = {"Accept": "application/json", "Accept-Encoding": ACCEPTED, **(headers or {})}
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=concurrency),
            timeout=_TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def __aenter__(self) -> ApiClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def send(self, request: Request, handler: ErrorHandler, traffic: Traffic) -> Answer:
        """Return the answer with status 200 or 204, after as many retries as the declaration allows.

        Raises:
            ReadError: No such answer came; the message says what the server said.
        """
        attempt = 0
        while True:
            attempt += 1
            outcome = await self._attempt(request, handler, traffic, attempt)
            if isinstance(outcome, Answer):
                return outcome
            if outcome.wait is None or attempt > handler.max_retries:
                tries = f" (tried {attempt} times)" if attempt > 1 else ""
                raise outcome.error.worded(f"{outcome.error.problem}{tries}")
            traffic.retries += 1
            traffic.seconds_waited += outcome.wait
            await self._budget.sleep(outcome.wait, outcome.error.problem)

    async def _attempt(self, request: Request, handler: ErrorHandler, traffic: Traffic, attempt: int) -> Answer | Retry:
        async with self._slots:
            departure, waited = await self._budget.acquire()
            traffic.seconds_waited += waited
            traffic.requests += 1
            started = time.perf_counter()
            try:
                status, headers, body = await self._exchange(request)
            except _TRANSPORT as error:
                return Retry(ReadError(self._credentials.redact(_transport_problem(error))), handler.wait(attempt))
            finally:
                traffic.seconds_in_flight += time.perf_counter() - started
        traffic.bytes += len(body)
        traffic.statuses[status] = traffic.statuses.get(status, 0) + 1
        now = time.time()
        quota = exhausted_for(headers, now)
        if quota is not None:
            await self._budget.pause(quota)
        if status in _PAGES:
            return Answer(body, headers.get("Content-Type", ""), headers, status)
        problem = self._refusal(status, headers, body)
        wait = requested_wait(handler.wait_from, headers, body, now)
        wait = handler.wait(attempt) if wait is None else wait
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            if attempt > 1:  # a server that says "at once" and refuses again is not believed twice
                wait = max(wait, min(handler.wait(attempt), _LEAST_WAIT))
            await self._budget.throttled(departure, wait)
        if status not in handler.retry_on_status_codes:
            return Retry(problem)
        if wait > PATIENCE:
            return Retry(problem.worded(f"{problem.problem}; {stay_away(now + wait).problem}"))
        return Retry(problem, wait)

    async def _exchange(self, request: Request) -> tuple[int, Mapping[str, str], bytes]:
        url = request.full_url(self._credentials.params())
        for _ in range(3):
            headers, address = {**self._headers, **self._credentials.headers(url)}, _address(url)
            async with self._http.request(
                request.method,
                address,
                headers=headers,
                json=request.json,
                allow_redirects=False,
                proxy=proxy_of(address.scheme, address.host or ""),
            ) as response:
                body = await response.read()
                target = response.headers.get("Location")
                if response.status not in (301, 302, 303, 307, 308) or not target:
                    body = decoded(body, response.headers.get("Content-Encoding", ""))
                    return response.status, response.headers, body
                url = resolve_url(url, target)
                self._credentials.check_origin(url)
        raise ReadError("the server redirects in a circle; check base_url")

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> ReadError:
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
        hint = _HINTS.get(status, "")
        said = error_message(body, headers.get("Content-Type", ""))
        text = f"the server answered {status} {phrase}".rstrip()
        text += f": {hint}" if hint else ""
        text += f" (it says: {said})" if said else ""
        return ReadError(self._credentials.redact(text), status=status)


def _address(url: str) -> yarl.URL:
    try:
        return yarl.URL(url, encoded=True)
    except ValueError as error:
        raise ReadError(f"{url.partition('?')[0][:120]!r} is not a valid address ({error})") from error


def _transport_problem(error: BaseException) -> str:
    """Return what broke; what the library says of the cause is passed on."""
    cause = " ".join(str(error).split())
    match error:
        case asyncio.TimeoutError():
            return f"the server did not answer in time{f' ({cause})' if cause else ''}"
        case aiohttp.ClientConnectorCertificateError():
            return f"the server's TLS certificate is not valid for its name ({cause})"
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy that HTTP_PROXY or HTTPS_PROXY names cannot be reached ({cause})"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy that HTTP_PROXY or HTTPS_PROXY names refused ({error.status} {error.message})"
        case aiohttp.ClientConnectorError():
            place = f"{error.host}:{error.port}"
            return f"the server cannot be reached at {place} ({error.strerror or cause or 'no answer'}); check base_url"
        case aiohttp.ClientPayloadError():
            return f"the connection broke in the middle of an answer ({cause})"
        case aiohttp.InvalidURL():
            return f"the address is not valid ({cause})"
        case _:
            return f"the connection broke ({cause or type(error).__name__})"
