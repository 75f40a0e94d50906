"""Migration: make a table as it is declared now, where that may not keep every value in its column.

No value is lost. A column whose values do not all fit its new type exactly is kept under another name, in dlt's way of
naming variants (``ref__v_text``); what fits is converted.
"""

from __future__ import annotations

from dataclasses import dataclass

from crm_assets.declarations.models.resource import Resource
from crm_assets.warehouse.schema_changes import (
    EXACT_IN_DOUBLE,
    SchemaChanges,
    TypeChange,
    alterations,
    current_view,
    drop_view,
    free_name,
    schema_changes,
)
from crm_assets.warehouse.session import WarehouseSession

_FITS = {
    ("text", "bigint"): "{column} SIMILAR TO '0|-?[1-9][0-9]{{0,17}}'",
    ("text", "decimal"): "{column} SIMILAR TO '-?(0|[1-9][0-9]{{0,27}})([.][0-9]{{1,9}})?'",
    # 15 significant digits survive a double (C's DBL_DIG)
    ("text", "double"): "{column} SIMILAR TO '-?(0|[1-9][0-9]{{0,8}})([.][0-9]{{1,6}})?'",
    ("double", "bigint"): f"{{column}} = floor({{column}}) AND abs({{column}}) <= {EXACT_IN_DOUBLE}",
    ("decimal", "bigint"): "{column} = floor({column}) AND abs({column}) < 9000000000000000000",
    ("bigint", "double"): f"abs({{column}}) <= {EXACT_IN_DOUBLE}",
    ("decimal", "double"): "CAST(CAST({column} AS {new}) AS {old}) = {column}",
}
"""From and to: which values the new type holds exactly, digits included. Of all other pairs, none is converted."""


@dataclass(frozen=True)
class Migration:
    """The changes planned for one table."""

    resource: str
    statements: tuple[str, ...]
    effects: tuple[str, ...]
    """The effect on the values, a sentence per column."""
    obstacle: str | None = None
    """Why it cannot be done."""


def plan_migration(session: WarehouseSession, resource: Resource) -> Migration | None:
    """Return the changes a table needs, or ``None`` if it is as declared or a load only has to add columns."""
    changes = schema_changes(session, resource)
    if not changes.types and not changes.optional:
        return None
    effects = [f"{name}: may be NULL from now on." for name in changes.optional]
    effects += [_kept_sentence(session, resource, change) for change in changes.types if change.safe]
    statements, obstacle = alterations(session, resource, changes)[:-1], None
    for change in changes.unsafe:
        all_values, fitting = _fitting_count(session, resource, change)
        if fitting < all_values and change.column in resource.primary_key:
            obstacle = f"{_fitting_sentence(change, fitting, all_values)}, and a key needs a value"
        statements += _convert(session, resource, change, aside=fitting < all_values)
        effects.append(_effect(resource, session, change, fitting, all_values))
    return Migration(resource.name, (*statements, current_view(session, resource.name)), tuple(effects), obstacle)


def _fitting_count(session: WarehouseSession, resource: Resource, change: TypeChange) -> tuple[int, int]:
    column = session.column(change.column)
    fits = f"count(CASE WHEN {_condition(session, change, column)} THEN 1 END)"
    ((values, fitting),) = session.query(f"SELECT count({column}), {fits} FROM {session.table(resource.name)}")
    return values, fitting


def _convert(session: WarehouseSession, resource: Resource, change: TypeChange, aside: bool) -> list[str]:
    if not aside:
        converted = SchemaChanges([TypeChange(change.column, change.kind, change.before, change.after, safe=True)])
        return alterations(session, resource, converted)[:-1]
    kept = session.column(free_name(session, resource.name, change))
    table, column, kind = session.table(resource.name), session.column(change.column), session.sql_type(change.after)
    return [
        drop_view(session, resource.name),
        f"ALTER TABLE {table} RENAME COLUMN {column} TO {kept}",
        f"ALTER TABLE {table} ALTER COLUMN {kept} DROP NOT NULL",
        f"ALTER TABLE {table} ADD COLUMN {column} {kind}",
        f"UPDATE {table} SET {column} = CAST({kept} AS {kind}) WHERE {_condition(session, change, kept)}",
    ]


def _condition(session: WarehouseSession, change: TypeChange, column: str) -> str:
    template = _FITS.get((change.before or "", change.after), "1 = 0")
    return template.format(column=column, new=session.sql_type(change.after), old=change.kind)


def _kept_sentence(session: WarehouseSession, resource: Resource, change: TypeChange) -> str:
    ((values,),) = session.query(f"SELECT count({session.column(change.column)}) FROM {session.table(resource.name)}")
    return f"{_fitting_sentence(change, values, values)}."


def _fitting_sentence(change: TypeChange, fitting: int, values: int) -> str:
    return f"{change.column}: {change.kind} becomes {change.after}; {fitting:,} of {values:,} values are kept exactly"


def _effect(resource: Resource, session: WarehouseSession, change: TypeChange, fitting: int, values: int) -> str:
    sentence = _fitting_sentence(change, fitting, values)
    if fitting == values:
        return f"{sentence}."
    kept = free_name(session, resource.name, change)
    again = " --from and the first day" if resource.window else " --full"
    return (
        f"{sentence}. The column stays as {kept}, with all values; where a value does not fit, {change.column} is NULL "
        f"until the record is read again: crm-assets sync key:{session.dataset}/{resource.name}{again}."
    )
