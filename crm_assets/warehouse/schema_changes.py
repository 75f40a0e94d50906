"""Changes of a declaration after its table was made: those that keep every value are made by the next load.

A change is safe only where each stored value is kept exactly, digits included. All others are refused before anything
is read, and left to ``crm-assets migrate``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from crm_assets.declarations.models.resource import Resource
from crm_assets.warehouse import read_log
from crm_assets.warehouse.dlt_schema import REJECTED_COLUMNS, dlt_columns
from crm_assets.warehouse.session import WarehouseSession

EXACT_IN_DOUBLE = 2**53
"""Greatest whole number up to which a double holds every whole number (IEEE 754)."""


@dataclass(frozen=True)
class TypeChange:
    """A column whose declared type is no longer the one it has in the warehouse."""

    column: str
    kind: str
    """Its type in the warehouse, in the warehouse's words."""
    before: str | None
    """The same as a dlt type; ``None`` where dlt has none."""
    after: str
    """The declared type."""
    safe: bool


@dataclass
class SchemaChanges:
    """The changes that make a table as declared; none if it does not exist yet."""

    types: list[TypeChange] = field(default_factory=list)
    optional: list[str] = field(default_factory=list)
    """Columns that no longer have to hold a value."""
    required: list[str] = field(default_factory=list)
    """Columns that have to hold one as soon as every row does."""

    @property
    def unsafe(self) -> list[TypeChange]:
        """Changes that might not keep every value."""
        return [change for change in self.types if not change.safe]


def schema_changes(session: WarehouseSession, resource: Resource, table: str | None = None) -> SchemaChanges:
    """Compare a resource's declared columns with its table, or with another one that has them."""
    table = table or resource.name
    found, declared, changes = session.columns(table), dlt_columns(resource), SchemaChanges()
    for name, hints in declared.items() if found else ():
        kind, nullable = found.get(name, ("", True))
        before, after = (session.type_of(kind) if kind else None), hints["data_type"]
        if kind and before != after:
            safe = _is_safe(session, table, name, before, after)
            changes.types.append(TypeChange(name, kind, before, after, safe))
        replaced = bool(kind) and before != after and not session.capabilities.changes_types
        if (nullable or replaced) and not hints["nullable"]:
            changes.required.append(name)
        if hints["nullable"] and not nullable:
            changes.optional.append(name)
    changes.optional += [name for name, (_, nullable) in found.items() if not nullable and _is_gone(name, declared)]
    return changes


def refusal(session: WarehouseSession, resource: Resource) -> str | None:
    """Return why a resource must not be loaded as it is declared now, and the command that helps, or ``None``."""
    unsafe = schema_changes(session, resource).unsafe
    if not unsafe:
        return None
    name = f"{session.dataset}.{resource.name}"
    differences = ", ".join(f"{change.column} is {change.kind} and is declared {change.after}" for change in unsafe)
    return (
        f"{name}: the type of a column has changed ({differences} now) and not every stored value may fit it, so "
        f"the table was left as it is. See what would happen with `crm-assets migrate {name}`, or declare the old type "
        f"again"
    )


def alterations(session: WarehouseSession, resource: Resource, changes: SchemaChanges) -> list[str]:
    """Return the statements that make the safe changes, the view of current rows included."""
    table = session.table(resource.name)
    statements = [f"ALTER TABLE {table} ALTER COLUMN {session.column(name)} DROP NOT NULL" for name in changes.optional]
    for change in (type_change for type_change in changes.types if type_change.safe):
        # PostgreSQL changes no column that a view shows; the view is ours and made again
        statements += [drop_view(session, resource.name), *alter_type(session, resource.name, change)]
    return [*statements, current_view(session, resource.name)]


def alter_type(session: WarehouseSession, table: str, change: TypeChange) -> list[str]:
    """Return the statements that give a column its declared type, in its place or, where it has to be, in another."""
    place, column, kind = session.table(table), session.column(change.column), session.sql_type(change.after)
    if session.capabilities.changes_types:
        return [f"ALTER TABLE {place} ALTER COLUMN {column} SET DATA TYPE {kind} USING CAST({column} AS {kind})"]
    replacement = session.column(free_name(session, table, change))
    return [
        f"ALTER TABLE {place} ADD COLUMN {replacement} {kind}",
        f"UPDATE {place} SET {replacement} = CAST({column} AS {kind})",
        f"ALTER TABLE {place} DROP COLUMN {column}",
        f"ALTER TABLE {place} RENAME COLUMN {replacement} TO {column}",
    ]


def free_name(session: WarehouseSession, table: str, change: TypeChange) -> str:
    """Return a name under which a column is kept whose values do not fit the declared type, as dlt names variants."""
    taken, name = session.columns(table), f"{change.column}__v_{change.before or 'old'}"
    return next(
        candidate for candidate in (name, *(f"{name}_{number}" for number in range(2, 1000))) if candidate not in taken
    )


def requirements(session: WarehouseSession, resource: Resource, changes: SchemaChanges) -> Iterator[str]:
    """Yield the statements that forbid NULL in required columns, as far as no row has one."""
    table = session.table(resource.name)
    for name in changes.required:
        column = session.column(name)
        if not session.query(f"SELECT 1 FROM {table} WHERE {column} IS NULL LIMIT 1"):
            yield f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"


def additions(session: WarehouseSession, table: str, columns: dict[str, dict[str, Any]]) -> list[str]:
    """Return the statements that create a table or columns that were dropped after dlt created them."""
    existing, name = session.columns(table), session.table(table)
    if not existing:
        return [f"CREATE TABLE {name} ({', '.join(_definition(session, hints) for hints in columns.values())})"]
    missing = [{**hints, "nullable": True} for column, hints in columns.items() if column not in existing]
    return [f"ALTER TABLE {name} ADD COLUMN {_definition(session, hints)}" for hints in missing]


def missing_columns(session: WarehouseSession, resource: Resource) -> list[str]:
    """Return the statements that make what a table lacks, or a dropped one: dlt does not look for what it made once.

    The view is made again with them, for the load of the rows may fail.
    """
    name, rejected, statements = resource.name, f"{resource.name}__rejected", list[str]()
    if session.columns(name) or _was_made(session, name):
        statements += additions(session, name, dlt_columns(resource))
        statements += [current_view(session, name)] if statements else []
    if not session.columns(rejected) and _was_made(session, name, "rejected > 0"):
        statements += additions(session, rejected, REJECTED_COLUMNS)
    return statements


def _was_made(session: WarehouseSession, resource: str, by: str = "true") -> bool:
    """Whether dlt has made a resource's table, or the one of rejected records, even if it has been dropped since."""
    return bool(read_log.complete_reads(session, resource, ["read_id"], by))


def _definition(session: WarehouseSession, hints: dict[str, Any]) -> str:
    required = "" if hints["nullable"] else " NOT NULL"
    return f"{session.column(hints['name'])} {session.sql_type(hints['data_type'])}{required}"


def drop_view(session: WarehouseSession, name: str) -> str:
    """Return the statement that drops the view of current rows, and nothing that depends on it."""
    return f"DROP VIEW IF EXISTS {session.table(f'{name}__current')}"


def current_view(session: WarehouseSession, name: str) -> str:
    """Return the statement that makes the view of the rows that are still at the source.

    Each load sends it, also where the view is as it was: of two loads at once into a table of a DuckLake, which takes
    the same key from both, only one can replace the view.
    """
    view = session.table(f"{name}__current")
    return f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM {session.table(name)} WHERE _deleted_at IS NULL"


def _is_safe(session: WarehouseSession, table: str, name: str, before: str | None, after: str) -> bool:
    if after == "text" or (before, after) == ("bigint", "decimal"):
        return True
    if (before, after) != ("bigint", "double"):
        return False
    beyond = f"abs({session.column(name)}) > {EXACT_IN_DOUBLE}"
    return not session.query(f"SELECT 1 FROM {session.table(table)} WHERE {beyond} LIMIT 1")


def _is_gone(name: str, declared: dict[str, dict[str, Any]]) -> bool:
    return name not in declared and not name.startswith("_dlt")
