"""The command ``crm-assets migrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crm_assets.commands.terminal import show

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace


@click.command("migrate")
@click.argument("target", required=False, metavar="[CONNECTION[.RESOURCE]]")
@click.option("--yes", "execute", is_flag=True, help="Run the statements; without it they are only shown.")
@click.pass_obj
def migrate_command(workspace: Workspace, target: str | None, execute: bool) -> None:
    """Show how tables would become as they are declared now and what happens to their values; --yes does it."""
    from crm_assets.commands.migrate import migrate, render_migrations

    name, _, resource = (target or "").partition(".")
    chosen = [workspace.connection(name)] if name else workspace.connections
    show(
        render_migrations(
            [migrate(connection, workspace.warehouse, resource or None, execute) for connection in chosen]
        )
    )
