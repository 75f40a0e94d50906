"""The command ``crm-assets export-dbt``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace


@click.command("export-dbt")
@click.argument("connections", nargs=-1)
@click.option("--database", help="Name of the database, if dbt's target is another one.")
@click.pass_obj
def export_dbt_command(workspace: Workspace, connections: tuple[str, ...], database: str | None) -> None:
    """Print a dbt sources.yml of some connections (default: all), for models that build on the tables."""
    from crm_assets.commands.export_dbt import dbt_sources

    chosen = [workspace.connection(name) for name in connections] if connections else workspace.connections
    click.echo(dbt_sources(chosen, database), nl=False)
