"""What a destination can hold of what is promised, by dlt's own capabilities of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlt.common.destination import DestinationCapabilitiesContext

_NO_TRANSACTIONS = frozenset({"databricks"})
"""dlt 1.31 leaves the capability unset for it, and its client opens none (``begin_transaction`` does nothing)."""
_NO_TEMPORARY_TABLES = frozenset({"databricks", "athena", "dremio"})
"""Dialects without tables of a session, which a merge puts what it knows into; sqlglot would write views for them."""
_WIDENS = frozenset({"ducklake"})
"""Destinations that change a column's type only to one that holds all values of the former: it is replaced there."""
_FILES = frozenset({"filesystem"})
"""Where dlt writes tables by libraries for their files; its SQL is DuckDB's over views of them, which only select."""
_CONFLICTING = frozenset({"ducklake"})
"""Where a load fails that another overtook: both replace the table's view, and only one of them can be committed."""
_LOCKED = frozenset({"duckdb", "postgres"})
"""Where writers wait for each other: for the file, and by an advisory lock of the server."""


@dataclass(frozen=True)
class Capabilities:
    """The abilities of a destination that loads depend on."""

    dialect: str
    """sqlglot's name of its SQL; empty where it has none."""
    replaces_rows: bool
    """Whether rows can be deleted and inserted."""
    only_selects: bool
    """Whether SQL cannot change its tables."""
    transactions: bool
    """Whether several statements can take effect as one."""
    alters_in_transactions: bool
    """Whether tables and views can be changed in the same transaction as rows."""
    changes_types: bool
    """Whether a column can be given any other type."""
    one_writer: bool
    """Whether two loads of a connection wait for each other, wherever they run."""
    conflicts: bool
    """Whether the later of two loads of a table fails and changes nothing, where they do not wait for each other."""

    @classmethod
    def of(cls, destination: str, known: DestinationCapabilitiesContext) -> Capabilities:
        """Return what dlt knows of a destination.

        Args:
            destination: Its name.
            known: dlt sets ``supports_transactions`` for few destinations: it is unset for most that have
                transactions, and false for those that have none.
        """
        transactions = known.supports_transactions is not False and known.sqlglot_dialect not in _NO_TRANSACTIONS
        return cls(
            dialect=known.sqlglot_dialect or "",
            replaces_rows="delete-insert" in (known.supported_merge_strategies or ()),
            only_selects=destination in _FILES,
            transactions=transactions,
            alters_in_transactions=transactions and bool(known.supports_ddl_transactions),
            changes_types=destination not in _WIDENS,
            one_writer=destination in _LOCKED,
            conflicts=destination in _CONFLICTING,
        )

    @property
    def refusal(self) -> str | None:
        """Why nothing can be loaded into it, as a clause; ``None`` where it can."""
        if self.only_selects:
            return (
                "SQL cannot change its tables, be they Parquet, Delta or Iceberg, so a table's rows, deletes and entry "
                "in the read log cannot take effect together; ducklake has open files and can do that"
            )
        if not self.replaces_rows:
            return "it cannot delete and insert single rows, so what changes or is deleted at the source would stay"
        if not self.dialect:
            return "dlt does not know its SQL dialect, and checks and deletes are SQL"
        if self.dialect in _NO_TEMPORARY_TABLES:
            return "it has no temporary tables, in which a merge notes the rows it is about to replace"
        return None

    @property
    def lost(self) -> tuple[str, ...]:
        """The promises that do not hold there, a sentence each."""
        found = []
        if not self.transactions:
            found.append(
                "It has no transactions: a load that is killed can leave a table between old and new; the next "
                "full refresh repairs it."
            )
        elif not self.alters_in_transactions:
            found.append(
                "It changes tables outside transactions: a load that is killed can leave a new, empty column behind."
            )
        if self.conflicts:
            found.append(
                "Loads from several machines do not wait for each other: the later of two loads of a table fails, "
                "changes nothing and has to be repeated."
            )
        elif not self.one_writer:
            found.append(
                "Loads from several machines do not wait for each other: do not load a connection in two runs at once."
            )
        return tuple(found)
