"""The one HTTP path: pace, credentials, retries by declaration, and errors in words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType

from crm_assets.declarations.models.endpoint import ErrorHandler
from crm_assets.extract.errors import IgnoredAnswerError, ReadError
from crm_assets.extract.http.access import Access, Accesses
from crm_assets.extract.http.credentials import Credentials, resolve_url
from crm_assets.extract.http.error_body import error_message
from crm_assets.extract.http.rate_headers import exhausted_for, requested_wait
from crm_assets.extract.http.rate_limiter import LONGEST_WAIT, RateLimiter, stay_away
from crm_assets.extract.http.request import Request
from crm_assets.extract.http.response_actions import action_for
from crm_assets.extract.http.tokens import TokenStores
from crm_assets.extract.http.transport import Response, Transport, TransportError, UnreachableError

_PAGE_STATUSES = (HTTPStatus.OK, HTTPStatus.NO_CONTENT)
"""Statuses of a page; 204 is how some APIs say that a list is empty."""
_LEAST_WAIT = 1.0
"""Seconds to wait after a second refusal in a row, where the declared wait is not shorter."""
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
        stores: Keep the tokens of logins between runs; by default they live as long as the client.
    """

    def __init__(
        self,
        credentials: Credentials,
        budget: RateLimiter,
        concurrency: int,
        headers: Mapping[str, str] | None = None,
        stores: TokenStores | None = None,
    ) -> None:
        self._redact = credentials.redact
        self.base_url = credentials.base_url
        self._budget = budget
        self._slots = asyncio.Semaphore(concurrency)
        self._headers = dict(headers or {})
        self._transport = Transport(concurrency)
        self._accesses = Accesses(credentials, self._transport, stores or TokenStores())
        self._unreachable: dict[str, str] = {}

    async def __aenter__(self) -> ApiClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def send(self, request: Request, handler: ErrorHandler, traffic: Traffic) -> Answer:
        """Return the answer with status 200 or 204, after as many retries as the declaration allows.

        Once a request was given up because the server cannot be reached, further ones are not retried until it answers.

        Raises:
            IgnoredAnswerError: The declaration says that the list is skipped.
            ReadError: No such answer came; the message says what the server said.
        """
        attempt = 0
        while True:
            attempt += 1
            outcome = await self._attempt(request, handler, traffic, attempt)
            if isinstance(outcome, Answer):
                return outcome
            if outcome.wait is None or attempt > handler.max_retries or outcome.error.problem in self._unreachable:
                raise self._given_up(outcome.error, attempt)
            traffic.retries += 1
            traffic.seconds_waited += outcome.wait
            await self._budget.sleep(outcome.wait, outcome.error.problem)

    def _given_up(self, error: ReadError, attempt: int) -> ReadError:
        problem = f"{error.problem} (tried {attempt} times)" if attempt > 1 else error.problem
        if isinstance(error, UnreachableError):
            problem = self._unreachable.setdefault(error.problem, problem)
        return error.worded(problem)

    async def _attempt(self, request: Request, handler: ErrorHandler, traffic: Traffic, attempt: int) -> Answer | Retry:
        async with self._slots:
            access = self._accesses.of(request.auth)
            token = await access.token()
            departure, waited = await self._budget.acquire()
            traffic.seconds_waited += waited
            started = time.perf_counter()
            try:
                response = await self._exchange(request, access, token, traffic)
            except TransportError as error:
                return Retry(error.worded(self._redact(error.problem)), handler.wait(attempt))
            finally:
                traffic.seconds_in_flight += time.perf_counter() - started
        self._unreachable.clear()
        quota = exhausted_for(response.headers, time.time())
        if quota is not None:
            await self._budget.pause(quota)
        return await self._judged(response, request, handler, attempt, departure)

    async def _exchange(self, request: Request, access: Access, token: str, traffic: Traffic) -> Response:
        """Return the answer to a request, which is sent once more if its token turns out to be worthless."""
        response = await self._followed(request, access.credentials, token, traffic)
        if await access.can_renew(response.status, token):
            response = await self._followed(request, access.credentials, await access.token(), traffic)
            access.renewed(response.status)
        return response

    async def _followed(self, request: Request, credentials: Credentials, token: str, traffic: Traffic) -> Response:
        url = request.full_url()
        for _ in range(3):
            url = url if request.anonymous else credentials.in_query(url, token)
            headers = {} if request.anonymous else self._own_headers(url, request, credentials, token)
            traffic.requests += 1
            json = None if request.form else request.json
            response = await self._transport.exchange(request.method, url, headers, json=json, data=request.form_body)
            traffic.bytes += len(response.body)
            traffic.statuses[response.status] = traffic.statuses.get(response.status, 0) + 1
            if not response.redirect:
                return response
            try:
                url = resolve_url(url, response.redirect)
                credentials.check_origin(url)
            except ReadError as error:
                raise ReadError(error.problem, status=response.status) from error.__cause__
        raise ReadError("the server redirects in a loop; check base_url", status=response.status)

    def _own_headers(self, url: str, request: Request, credentials: Credentials, token: str) -> dict[str, str]:
        form = {"Content-Type": "application/x-www-form-urlencoded"} if request.form else {}
        return {**form, **self._headers, **request.headers, **credentials.headers(url, token)}

    async def pause(self, seconds: float, why: str, traffic: Traffic) -> None:
        """Wait because the server is not ready yet.

        Args:
            seconds: How long.
            why: The reason, as a clause.
            traffic: Counts it.
        """
        traffic.seconds_waited += seconds
        await self._budget.sleep(seconds, why)

    async def _judged(
        self, response: Response, request: Request, handler: ErrorHandler, attempt: int, departure: float
    ) -> Answer | Retry:
        """Return the page an answer is, or what follows from its being none."""
        status, headers, body = response.status, response.headers, response.body
        declared = action_for(request.actions, status, body)
        match declared.action if declared else None:
            case "read":
                return Answer(body, headers.get("Content-Type", ""), headers)
            case "empty":
                return Answer(b"", "", headers, HTTPStatus.NO_CONTENT)
            case "ignore":
                return Retry(IgnoredAnswerError(self._refusal(response).problem, status=status))
            case "fail":
                return Retry(self._refusal(response))
            case "retry":
                pass
            case None if status in _PAGE_STATUSES:
                return Answer(body, headers.get("Content-Type", ""), headers, status)
            case None:
                pass
        problem, now = self._refusal(response), time.time()
        wait = requested_wait(handler.wait_from, headers, body, now)
        wait = handler.wait(attempt) if wait is None else wait
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            if attempt > 1:  # a server that says "at once" and refuses again is not believed twice
                wait = max(wait, min(handler.wait(attempt), _LEAST_WAIT))
            await self._budget.throttled(departure, wait)
        if declared is None and status not in handler.retry_on_status_codes:
            return Retry(problem)
        if wait > LONGEST_WAIT:
            return Retry(problem.worded(f"{problem.problem}; {stay_away(now + wait).problem}"))
        return Retry(problem, wait)

    def _refusal(self, response: Response) -> ReadError:
        status = response.status
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
        hint = _HINTS.get(status, "")
        said = error_message(response.body, response.headers.get("Content-Type", ""))
        text = f"the server answered {status} {phrase}".rstrip()
        text += f": {hint}" if hint else ""
        text += f" (it says: {said})" if said else ""
        return ReadError(self._redact(text), status=status)
