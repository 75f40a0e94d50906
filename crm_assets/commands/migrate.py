"""``crm-assets migrate``: what it takes to make tables as they are declared now; a dry run unless it is confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from crm_assets.declarations.errors import unknown
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.resource import Resource
from crm_assets.errors import CommandError
from crm_assets.warehouse.migration import Migration, plan_migration
from crm_assets.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Migrated:
    """The migrations of one connection."""

    connection: str
    migrations: tuple[Migration, ...]
    executed: bool


def migrate(connection: Connection, warehouse: Warehouse, only: str | None, execute: bool) -> Migrated:
    """Look for tables that are not as declared, and make them so if that is wanted, in one transaction.

    Args:
        connection: The connection.
        warehouse: Where its tables are.
        only: Name of one resource; all when ``None``.
        execute: Whether to change anything.

    Raises:
        CommandError: The resource is unknown, or a table cannot be made as declared.
    """
    resources = _chosen_resources(connection, only)
    if not warehouse.exists:
        return Migrated(connection.name, (), execute)
    with warehouse.working_folder() as folder, warehouse.session(connection.name, folder, print) as session:
        migrations = tuple(migration for resource in resources if (migration := plan_migration(session, resource)))
        if execute:
            for migration in migrations:
                if migration.obstacle:
                    raise CommandError(
                        f"{connection.name}.{migration.resource} cannot be migrated: {migration.obstacle}."
                    )
            session.execute([(statement, ()) for migration in migrations for statement in migration.statements])
    return Migrated(connection.name, migrations, execute)


def render_migrations(results: Iterable[Migrated]) -> RenderableType:
    """Return the statements, what becomes of the values, and what to do next."""
    parts: list[RenderableType] = []
    results = list(results)
    for result in results:
        for migration in result.migrations:
            parts.append(Text(f"{result.connection}.{migration.resource}", "bold"))
            parts += [Text(f"  {effect}") for effect in migration.effects]
            parts += [Text(f"  Cannot be done: {migration.obstacle}.")] if migration.obstacle else []
            parts += [Text(f"    {statement};", "dim") for statement in migration.statements]
    if not parts:
        return Text("Every table is as declared, or the next sync makes it so.")
    done = all(result.executed for result in results)
    parts.append(
        Text("Done." if done else "Nothing was changed. Add --yes to run these statements in one transaction.")
    )
    return Group(*parts)


def _chosen_resources(connection: Connection, only: str | None) -> list[Resource]:
    by_name = {resource.name: resource for resource in connection.system.resources}
    if only is not None and only not in by_name:
        raise CommandError(unknown("resource", only, by_name))
    return [by_name[only]] if only else [*by_name.values()]
