"""The command ``crm-assets plan``."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from crm_assets.commands.terminal import DATE, days_between, show

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace


@click.command("plan")
@click.argument("selection", required=False)
@click.option("--from", "first", type=DATE, help="First day of the windows to read.")
@click.option("--to", "last", type=DATE, help="Last day of the windows to read (default: today).")
@click.option("--full", is_flag=True, help="Plan for reading whole lists.")
@click.option("--ask", is_flag=True, help="Request a page of each list that was never read, for its size.")
@click.pass_obj
def plan_command(
    workspace: Workspace, selection: str | None, first: datetime | None, last: datetime | None, full: bool, ask: bool
) -> None:
    """Show what a sync would request, and how long that takes at the vendor's rate.

    Nothing is requested without --ask, which shows how long a first sync takes.
    """
    from crm_assets.commands.list_sizes import list_sizes
    from crm_assets.commands.plan import plan
    from crm_assets.commands.plan_view import render_plans
    from crm_assets.commands.sync.run_requests import SyncRequest, select_assets

    workspace = workspace.located()
    tables = select_assets(workspace, SyncRequest(selection)).tables
    wanted = [(workspace.connection(name), {key.path[-1] for key in own}) for name, own in tables.items()]
    sizes = partial(list_sizes, state=workspace.shared_state) if ask else None
    show(render_plans(plan(wanted, workspace.warehouse, days=days_between(first, last), full=full, ask=sizes)))
