"""Access to a list: its credentials, and the login that issues a token, if there is one."""

from __future__ import annotations

from http import HTTPStatus

from crm_assets.declarations.models.auth import Auth, token_auth
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.credentials import Credentials
from crm_assets.extract.http.login import Login, LoginCall
from crm_assets.extract.http.tokens import TokenStores
from crm_assets.extract.http.transport import Response, Transport, TransportError

_FRUITLESS = 2
"""Renewals in a row after which a 401 is taken to be about the list and not about the token."""


class Access:
    """Credentials of one authentication, and the token they need.

    Args:
        credentials: Put on every request.
        login: Hands out the token, where there is one.
    """

    def __init__(self, credentials: Credentials, login: Login | None) -> None:
        self.credentials = credentials
        self._login = login
        self._fruitless = 0

    async def token(self) -> str:
        """Return a token that is valid now, empty where none is needed.

        Raises:
            ReadError: The login failed.
        """
        return await self._login.token() if self._login else ""

    async def can_renew(self, status: int, token: str) -> bool:
        """Return whether an answer was about the token, and there is a new one now."""
        if status != HTTPStatus.UNAUTHORIZED or self._login is None or self._fruitless >= _FRUITLESS:
            return False
        await self._login.token(refused=token)
        return True

    def renewed(self, status: int) -> None:
        """Note how a request with a renewed token was answered."""
        self._fruitless = self._fruitless + 1 if status == HTTPStatus.UNAUTHORIZED else 0


class Accesses:
    """The accesses of a connection: one for each kind of authentication its requests need.

    Args:
        credentials: Those of the connection.
        transport: Sends the logins.
        stores: Keep tokens between runs.
    """

    def __init__(self, credentials: Credentials, transport: Transport, stores: TokenStores) -> None:
        self._credentials = credentials
        self._transport = transport
        self._stores = stores
        self._known: list[tuple[Auth, Access]] = []

    def of(self, auth: Auth | None) -> Access:
        """Return the access by an authentication, or by the connection's own."""
        wanted = auth or self._credentials.auth
        for known, access in self._known:
            if known == wanted:
                return access
        access = self._made(wanted)
        self._known.append((wanted, access))
        return access

    def _made(self, auth: Auth) -> Access:
        credentials, handed_out = self._credentials.of(auth), token_auth(auth)
        if handed_out is None:
            return Access(credentials, None)
        url = credentials.absolute(handed_out.login_url)
        login = Login(
            handed_out, credentials.secrets, url, self._stores.of(handed_out), self._send, credentials.redact.remember
        )
        return Access(credentials, login)

    async def _send(self, call: LoginCall) -> Response:
        try:
            return await self._transport.exchange(call.method, call.url, call.headers, data=call.body)
        except TransportError as error:
            problem = self._credentials.redact(error.problem)
            raise ReadError(f"the login failed: {problem.replace('base_url', 'token_url')}") from None
