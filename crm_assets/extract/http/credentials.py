"""Credentials: secrets put on a request for the connection's own origin, and kept out of everything else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from urllib.parse import SplitResult, quote, unquote_plus, urlencode, urljoin, urlsplit

from crm_assets.declarations.models.auth import Auth
from crm_assets.declarations.models.simple_auth import HANDED_OUT, Sent
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.redactor import Redactor


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL, default ports filled in."""
    parts: SplitResult = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"https": 443, "http": 80}.get(parts.scheme)


UNESCAPED = "!#$%&'()*+,/:;=?@[]~"
"""What a browser leaves in an address as it is; everything else outside of letters and digits it encodes."""


def resolve_url(url: str, target: str) -> str:
    """Return the address a redirect or link found at ``url`` leads to, encoded as a browser would.

    A user name and password in it are left out: the connection's own credentials are sent, or none.

    Raises:
        ReadError: It is not a valid address.
    """
    try:
        parts = urlsplit(urljoin(url, quote(target.strip(), safe=UNESCAPED)))
        origin(parts.geturl())
    except ValueError as error:
        raise ReadError(f"the server points at something that is not a valid address ({target[:80]!r})") from error
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


class Credentials:
    """The secrets of one connection and how its API wants to see them.

    Args:
        auth: The declared authentication.
        secrets: Secret name to value.
        base_url: The only origin that may see them.
        redact: Keeps them out of what is said.
    """

    def __init__(self, auth: Auth, secrets: Mapping[str, str], base_url: str, redact: Redactor | None = None) -> None:
        self.auth = auth
        self.secrets = secrets
        self.base_url = base_url
        self.redact = redact or Redactor()
        self.redact.remember(*secrets.values(), *(sent.value for sent in self._sent("")))

    def of(self, auth: Auth) -> Credentials:
        """Return the credentials of another authentication of the same connection."""
        return Credentials(auth, self.secrets, self.base_url, self.redact)

    def headers(self, url: str, token: str = "") -> dict[str, str]:
        """Return the headers that authenticate a request to ``url``.

        Args:
            url: Where it goes.
            token: The issued token, for authentication that has one.

        Raises:
            ReadError: The URL is of another origin than the connection's.
        """
        self.check_origin(url)
        return {sent.name: sent.value for sent in self._sent(token) if sent.location == "header"}

    def params(self, token: str = "") -> dict[str, str]:
        """Return the query parameters that authenticate a request."""
        return {sent.name: sent.value for sent in self._sent(token) if sent.location == "query"}

    def in_query(self, url: str, token: str = "") -> str:
        """Return an address with the query parameters that authenticate a request, in place of those it has."""
        params = self.params(token)
        if not params:
            return url
        parts = urlsplit(url)
        pairs = [pair for pair in parts.query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in params]
        return parts._replace(query="&".join([*pairs, urlencode(params)])).geturl()

    def absolute(self, url: str) -> str:
        """Return an address, of which a path is below the connection's ``base_url``."""
        return url if urlsplit(url).scheme else f"{self.base_url.rstrip('/')}/{url.lstrip('/')}"

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

    def _sent(self, token: str) -> tuple[Sent, ...]:
        return self.auth.sent({**self.secrets, HANDED_OUT: token})
