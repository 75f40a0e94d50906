"""What all runs of an account share, wherever they run: how fast they ask, the tokens of its logins, what was read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.http.tokens import TokenStores, token_stores
from crm_assets.extract.progress import SayFn, say_nothing

if TYPE_CHECKING:
    from crm_assets.extract.journal_storage.journal_store import JournalStore


class SharedState(Protocol):
    """Where runs agree; one per installation."""

    def rate_limiter(self, connection: Connection, say: SayFn = say_nothing) -> RateLimiter:
        """Return the rate of an account.

        Args:
            connection: The account.
            say: Told what is waited for.
        """

    def token_stores(self, connection: Connection) -> TokenStores:
        """Return the stores of an account's logins."""

    def journals(self) -> JournalStore:
        """Return where one run finds what interrupted ones have read, to be closed by it."""


@dataclass(frozen=True)
class FileState:
    """The state of one machine, in files of the data folder.

    Attributes:
        folder: The data folder.
    """

    folder: Path

    def rate_limiter(self, connection: Connection, say: SayFn = say_nothing) -> RateLimiter:
        """Return the rate of an account."""
        return RateLimiter(self.folder / "budgets" / connection.name, connection.budget, say=say)

    def token_stores(self, connection: Connection) -> TokenStores:
        """Return the stores of an account's logins."""
        return token_stores(connection.name, self.folder)

    def journals(self) -> JournalStore:
        """Return where one run finds what interrupted ones have read."""
        from crm_assets.extract.journal_storage.file_journals import FileJournals

        return FileJournals(self.folder / "resume")
