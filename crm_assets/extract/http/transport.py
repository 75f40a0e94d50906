"""One HTTP exchange: connections, proxies, compressed bodies, and what broke in words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import yarl
from typing_extensions import Self

from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.content_encoding import ACCEPTED, LONGEST_BODY, BrokenBodyError, decoded, too_long
from crm_assets.extract.http.credentials import UNESCAPED
from crm_assets.extract.http.proxies import proxy_of

_HTTP_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=30, sock_read=60)
_LONGEST_HEADER = 65_536
"""Bytes of one header; the library's own limit of 8,190 is below what some gateways add of cookies and policies."""
_BROKEN = (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError, BrokenBodyError)


class TransportError(ReadError):
    """No answer came, or none that was whole."""


class UnreachableError(TransportError):
    """No connection to the server could be made, so none of its lists can be read."""

    def at(self, _: str) -> Self:
        """Return the same error: every place of every list has it."""
        return self


@dataclass(frozen=True, repr=False)
class Response:
    """An answer of any status."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes
    """Without its content encoding."""

    @property
    def redirect(self) -> str:
        """Address it redirects to, empty where it does not."""
        return self.headers.get("Location", "") if self.status in (301, 302, 303, 307, 308) else ""


class Transport:
    """Connections to the servers of one connection; cookies are forgotten.

    Args:
        concurrency: Connections open at once.
    """

    def __init__(self, concurrency: int) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=concurrency),
            timeout=_HTTP_TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], *, json: Any = None, data: bytes | None = None
    ) -> Response:
        """Send a request and return the answer; a redirect is an answer.

        Raises:
            TransportError: No whole answer came.
            ReadError: The address is not valid, or the answer is longer than any page.
        """
        address = _parsed_url(url)
        try:
            async with self._http.request(
                method,
                address,
                headers={"Accept": "application/json", "Accept-Encoding": ACCEPTED, **headers},
                json=json,
                data=data,
                allow_redirects=False,
                proxy=proxy_of(address.scheme, address.host or ""),
            ) as response:
                body = decoded(await _whole(response.content), response.headers.get("Content-Encoding", ""))
                return Response(response.status, _headers_of(response), body)
        except _BROKEN as error:
            problem = UnreachableError if isinstance(error, aiohttp.ClientConnectorError) else TransportError
            raise problem(_transport_problem(error)) from None


async def _whole(content: aiohttp.StreamReader) -> bytes:
    """Return a body as it is sent, unless it does not end."""
    parts, size = [], 0
    while part := await content.readany():
        parts.append(part)
        size += len(part)
        if size > LONGEST_BODY:
            raise too_long()
    return b"".join(parts)


def _headers_of(response: aiohttp.ClientResponse) -> Mapping[str, str]:
    """Return the headers, with all links of an answer in one field, however many it has of them."""
    headers = response.headers.copy()
    if "Link" in headers:
        headers["Link"] = ", ".join(headers.getall("Link"))
    return headers


def _parsed_url(url: str) -> yarl.URL:
    """Return an address, a declared one encoded as a browser would; nothing that is encoded already is changed."""
    try:
        parts = urlsplit(url)
        path, query = quote(parts.path, safe=UNESCAPED), quote(parts.query, safe=UNESCAPED)
        return yarl.URL(parts._replace(path=path, query=query).geturl(), encoded=True)
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
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection before it had answered"
        case aiohttp.ClientPayloadError():
            return f"the connection broke in the middle of an answer ({cause})"
        case aiohttp.InvalidURL():
            return f"the address is not valid ({cause})"
        case _:
            return f"the connection broke ({cause or type(error).__name__})"
