"""Where tokens of an API are kept between runs: a file only its owner can read, or memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
from filelock import AsyncFileLock

from crm_assets.declarations.models.token_auth import RefreshTokenAuth, TokenAuth
from crm_assets.extract.errors import ReadError

RESERVED_BYTES = 16_384
"""Bytes written before a token is asked for: a new refresh token must not be lost to a full disk."""


@dataclass(frozen=True, repr=False)
class Token:
    """A token that the API issued."""

    access_token: str
    expires_at: float
    """Seconds since the epoch."""
    refresh_token: str = ""
    """The refresh token that goes with it, where it takes the place of the configured one."""
    configured: str = ""
    """Fingerprint of the refresh token that was configured then: a new one makes this token obsolete."""


class TokenStore(Protocol):
    """Keeps the token of one login for all runs of a connection."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Keep other runs from renewing the token meanwhile."""

    def load(self) -> Token | None:
        """Return the token that was saved last."""

    def prepare(self) -> None:
        """Make sure that a token can be saved.

        Raises:
            ReadError: It cannot.
        """

    def save(self, token: Token) -> None:
        """Keep a token in place of the one before, at once or not at all."""


class MemoryTokenStore:
    """Keeps nothing: a token that can be had again at any time lives as long as its process."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Block no other run."""
        yield

    def load(self) -> Token | None:
        """Return nothing."""
        return None

    def prepare(self) -> None:
        """Do nothing."""

    def save(self, token: Token) -> None:
        """Do nothing."""


class FileTokenStore:
    """Keeps the token in a file of the data folder, mode 0600.

    Args:
        path: The file; a lock lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_suffix(".new")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Let no other process renew the token meanwhile; the system frees the lock of one that dies."""
        lock = AsyncFileLock(f"{self._path}.lock")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            await lock.acquire()
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield
        finally:
            await lock.release()

    def load(self) -> Token | None:
        """Return the token in the file, ``None`` where there is none or it cannot be read."""
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.decode(self._path.read_bytes(), type=Token)
        return None

    def prepare(self) -> None:
        """Reserve the room for a token.

        Raises:
            ReadError: There is none, or the folder cannot be written.
        """
        try:
            self._write(b" " * RESERVED_BYTES)
        except OSError as error:
            raise self._unwritable(error) from error

    def save(self, token: Token) -> None:
        """Put the token in the place of the one before."""
        self._write(msgspec.json.encode(token))
        self._draft.replace(self._path)

    def _unwritable(self, error: OSError) -> ReadError:
        return ReadError(
            f"{self._path.parent} cannot be written ({error.strerror}), and a new refresh token would be lost"
        )

    def _write(self, content: bytes) -> None:
        with os.fdopen(os.open(self._draft, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            file.truncate()
            os.fsync(file.fileno())


class TokenStores:
    """Gives each login its store: a file for refresh tokens, which may change, memory for all else.

    Args:
        folder: Where the files are; without it everything is kept in memory.
        connection: Name of the connection.
    """

    def __init__(self, folder: Path | None = None, connection: str = "") -> None:
        self._folder = folder
        self._connection = connection

    def of(self, auth: TokenAuth) -> TokenStore:
        """Return the store of one login."""
        if self._folder is None or not isinstance(auth, RefreshTokenAuth):
            return MemoryTokenStore()
        return FileTokenStore(self._folder / f"{self._connection}.{auth.refresh_token}.json")


def token_stores(connection: str, data_folder: Path) -> TokenStores:
    """Return the stores of a connection's logins, which all processes on a data folder share."""
    return TokenStores(data_folder / "tokens", connection)


def fingerprint(secret: str) -> str:
    """Return what distinguishes one secret from another without showing either."""
    return hashlib.sha256(secret.encode()).hexdigest()[:32]
