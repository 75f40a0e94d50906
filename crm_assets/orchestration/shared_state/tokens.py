"""Tokens issued by an API, in the instance's PostgreSQL; everybody who can read it can read them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import msgspec
import psycopg2

from crm_assets.declarations.models.token_auth import RefreshTokenAuth, TokenAuth
from crm_assets.extract.http.tokens import RESERVED_BYTES, MemoryTokenStore, Token, TokenStore, TokenStores
from crm_assets.orchestration.shared_state.database import connect, unreachable

_POLL_RANGE = 0.05, 1.0
"""Seconds between two tries to take the turn of another process: first and longest."""
_SAVE = """
INSERT INTO crm_assets_tokens (connection, login, token) VALUES (%s, %s, %s)
ON CONFLICT (connection, login) DO UPDATE SET token = excluded.token, draft = NULL
"""
_PREPARE = """
INSERT INTO crm_assets_tokens (connection, login, draft) VALUES (%s, %s, %s)
ON CONFLICT (connection, login) DO UPDATE SET draft = excluded.draft
"""


class PostgresTokenStores(TokenStores):
    """Gives each login its store: a row for refresh tokens, which may change, memory for all else.

    Args:
        url: The instance's database.
        connection: Name of the connection.
    """

    def __init__(self, url: str, connection: str) -> None:
        super().__init__(None, connection)
        self._url = url

    def of(self, auth: TokenAuth) -> TokenStore:
        """Return the store of one login."""
        if not isinstance(auth, RefreshTokenAuth):
            return MemoryTokenStore()
        return PostgresTokenStore(self._url, self._connection, auth.refresh_token)


class PostgresTokenStore:
    """Keeps the token of one login in a row.

    Args:
        url: The instance's database.
        connection: Name of the connection.
        login: Name of the secret that holds the refresh token.
    """

    def __init__(self, url: str, connection: str, login: str) -> None:
        self._url = url
        self._row = connection, login

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Let no other process renew the token meanwhile; the server frees the lock of one that dies."""
        with closing(self._connected()) as database:
            pause = _POLL_RANGE[0]
            while not self._fetched(database, "SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s))", *self._row):
                await asyncio.sleep(pause)
                pause = min(pause * 2, _POLL_RANGE[1])
            yield

    def load(self) -> Token | None:
        """Return the token in the row, ``None`` where there is none or it cannot be read."""
        with closing(self._connected()) as database:
            sql = "SELECT token FROM crm_assets_tokens WHERE connection = %s AND login = %s"
            text = self._fetched(database, sql, *self._row)
        with suppress(msgspec.DecodeError):
            return msgspec.json.decode(text, type=Token) if text else None
        return None

    def prepare(self) -> None:
        """Reserve the room for a token.

        Raises:
            ReadError: It cannot be written.
        """
        self._write(_PREPARE, " " * RESERVED_BYTES)

    def save(self, token: Token) -> None:
        """Put the token in the place of the one before."""
        self._write(_SAVE, msgspec.json.encode(token).decode())

    def _write(self, sql: str, text: str) -> None:
        with closing(self._connected()) as database:
            self._fetched(database, f"{sql} RETURNING 1", *self._row, text)

    def _connected(self) -> Any:
        try:
            return connect(self._url)
        except psycopg2.Error as error:
            raise unreachable(f"the token of {self._row[0]}", error) from error

    def _fetched(self, database: Any, sql: str, *parameters: str) -> Any:
        """Return the first value of a statement."""
        try:
            with database.cursor() as cursor:
                cursor.execute(sql, parameters)
                row = cursor.fetchone()
        except psycopg2.Error as error:
            raise unreachable(f"the token of {self._row[0]}", error) from error
        return row and row[0]
