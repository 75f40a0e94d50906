"""The command ``crm-assets preview``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from crm_assets.commands.terminal import DATE, console, days_between, show

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace


@click.command("preview")
@click.argument("resource", metavar="CONNECTION.RESOURCE")
@click.option("--rows", default=5, show_default=True, help="Maximum number of rows.")
@click.option("--from", "first", type=DATE, help="First day, for a list that is read by date.")
@click.option("--to", "last", type=DATE, help="Last day (default: today).")
@click.option("--show-pii", is_flag=True, help="Show personal data.")
@click.pass_obj
def preview_command(
    workspace: Workspace, resource: str, rows: int, first: datetime | None, last: datetime | None, show_pii: bool
) -> None:
    """Show sample rows of a list; nothing is loaded, personal data is masked."""
    from crm_assets.commands.preview import preview
    from crm_assets.commands.preview_view import render_preview

    connection, _, name = resource.partition(".")
    shown = preview(
        workspace.connection(connection),
        name,
        workspace.shared_state,
        rows=rows,
        dates=days_between(first, last),
        show_pii=show_pii,
    )
    show(render_preview(shown, console().width))
