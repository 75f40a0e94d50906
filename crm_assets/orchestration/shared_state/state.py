"""Where runs find rates, tokens and journals: in the instance's PostgreSQL if it has one, else in files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.system import RateLimit
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.http.rate_state import RateStore
from crm_assets.extract.http.tokens import TokenStores
from crm_assets.extract.progress import SayFn, say_nothing
from crm_assets.extract.shared_state import FileState, SharedState

if TYPE_CHECKING:
    from crm_assets.extract.journal_storage.journal_store import JournalStore

_DRIVER = re.compile(r"(?<=^postgresql)\+\w+(?=:)")


@dataclass(frozen=True)
class PostgresState:
    """The state that all machines with one Dagster instance share.

    Attributes:
        url: The instance's database.
    """

    url: str

    def rate_limiter(self, connection: Connection, say: SayFn = say_nothing) -> RateLimiter:
        """Return the rate of an account."""
        return RateLimiter(Path(connection.name), connection.budget, say=say, open_store=partial(_open_rates, self.url))

    def token_stores(self, connection: Connection) -> TokenStores:
        """Return the stores of an account's logins."""
        from crm_assets.orchestration.shared_state.tokens import PostgresTokenStores

        return PostgresTokenStores(self.url, connection.name)

    def journals(self) -> JournalStore:
        """Return where one run finds what interrupted ones have read."""
        from crm_assets.orchestration.shared_state.journals import PostgresJournals

        return PostgresJournals(self.url)


def shared_state(instance: dg.DagsterInstance, data_folder: Path) -> SharedState:
    """Return what all runs on an instance share.

    Args:
        instance: If its runs are stored in PostgreSQL, so is this: then they may be on several machines.
        data_folder: Has the files otherwise.
    """
    url = getattr(instance.run_storage, "postgres_url", None)
    # SQLAlchemy's URLs name a driver, PostgreSQL's do not
    return PostgresState(_DRIVER.sub("", url)) if isinstance(url, str) else FileState(data_folder)


def _open_rates(url: str, path: Path, limit: RateLimit | None) -> RateStore:
    from crm_assets.orchestration.shared_state.rates import PostgresRates

    return PostgresRates(url, path.name, limit)
