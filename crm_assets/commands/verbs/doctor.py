"""The command ``crm-assets doctor``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from crm_assets.commands.terminal import show

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace


@click.command("doctor")
@click.argument("connections", nargs=-1)
@click.pass_obj
def doctor_command(workspace: Workspace, connections: tuple[str, ...]) -> None:
    """Test CONNECTIONS (default: all): request the first pages of every list, and explain what is wrong.

    The warehouse is opened, too.
    """
    from crm_assets.commands.doctor import examine, warehouse_problems
    from crm_assets.commands.doctor_view import render_diagnoses

    chosen = [workspace.connection(name) for name in connections] or workspace.connections
    diagnoses = examine(chosen, workspace.shared_state) + warehouse_problems(workspace.warehouse)
    show(render_diagnoses(diagnoses))
    sys.exit(0 if all(diagnosis.healthy for diagnosis in diagnoses) else 1)
