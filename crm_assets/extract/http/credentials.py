"""Credentials: secrets put on a request for the connection's own origin, and kept out of everything else."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from crm_assets.declarations.models.auth import ApiKeyAuth, Auth, BasicAuth, NoAuth
from crm_assets.declarations.models.base import fill
from crm_assets.extract.errors import ReadError


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL, default ports filled in."""
    parts: SplitResult = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"https": 443, "http": 80}.get(parts.scheme)


_KEPT = "!#$%&'()*+,/:;=?@[]~"
"""What a browser leaves in an address as it is; everything else outside of letters and digits it encodes."""


def resolve_url(url: str, target: str) -> str:
    """Return the address a redirect or link found at ``url`` leads to, encoded as a browser would.

    A user name and password in it are left out: the connection's own credentials are sent, or none.

    Raises:
        ReadError: It is not a valid address.
    """
    try:
        parts = urlsplit(urljoin(url, quote(target.strip(), safe=_KEPT)))
        origin(parts.geturl())
    except ValueError as error:
        raise ReadError(f"the server points at something that is not a valid address ({target[:80]!r})") from error
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


@dataclass(frozen=True, repr=False)
class Credentials:
    """The secrets of one connection and how its API wants to see them.

    Args:
        auth: The declared authentication.
        secrets: Secret name to value.
        base_url: The only origin that may see them.
    """

    auth: Auth
    secrets: Mapping[str, str]
    base_url: str

    def headers(self, url: str) -> dict[str, str]:
        """Return the headers that authenticate a request to ``url``.

        Raises:
            ReadError: The URL is of another origin than the connection's.
        """
        self.check_origin(url)
        if isinstance(self.auth, NoAuth):
            return {}
        if isinstance(self.auth, BasicAuth):
            pair = f"{self.secrets[self.auth.username]}:{self.secrets[self.auth.password]}"
            return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        if isinstance(self.auth, ApiKeyAuth):
            return {self.auth.name: self._sent(self.auth)} if self.auth.location == "header" else {}
        return {"Authorization": f"Bearer {self.secrets[self.auth.token]}"}

    def params(self) -> dict[str, str]:
        """Return the query parameters that authenticate a request."""
        if isinstance(self.auth, ApiKeyAuth) and self.auth.location == "query":
            return {self.auth.name: self._sent(self.auth)}
        return {}

    def check_origin(self, url: str) -> None:
        """Refuse a URL of another scheme, host or port.

        Raises:
            ReadError: It is one, or no URL at all.
        """
        if url.startswith(self._home_page):
            return
        try:
            found = origin(url)
        except ValueError:
            raise ReadError("the server points at something that is not a valid address") from None
        if found != self._home:
            scheme, host, port = found
            raise ReadError(
                f"the server points at another address ({scheme}://{host}:{port}); "
                f"the credentials are not sent there. If the API moved, change base_url"
            )

    @cached_property
    def _home_page(self) -> str:
        """The connection's origin as base_url writes it; what begins so, slash included, is of that origin."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}/"

    @cached_property
    def _home(self) -> tuple[str, str, int | None]:
        return origin(self.base_url)

    def redact(self, text: str) -> str:
        """Return the text with every secret, and what is sent for it, replaced by ``***``."""
        sent = [*self.secrets.values(), *self.params().values(), *self.headers(self.base_url).values()]
        sent += [value.rsplit(" ", 1)[-1] for value in sent]
        for value in sorted({*sent, *(quote(value, safe="") for value in sent)}, key=len, reverse=True):
            if len(value) > 3:
                text = text.replace(value, "***")
        return text

    def _sent(self, auth: ApiKeyAuth) -> str:
        return str(fill(auth.value, dict(self.secrets))) if auth.value else self.secrets[auth.api_key]
