"""The command ``crm-assets export-dlt``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace


@click.command("export-dlt")
@click.argument("connection")
@click.pass_obj
def export_dlt_command(workspace: Workspace, connection: str) -> None:
    """Print a connection's declaration as dlt's own REST API configuration, as JSON; dlt has validated it.

    What dlt has no counterpart for goes to stderr.
    """
    from crm_assets.commands.export_dlt import losses, rest_api, rest_api_config

    chosen = workspace.connection(connection)
    secrets = {name: f'dlt.secrets["sources.{chosen.name}.{name}"]' for name in chosen.system.secrets}
    rest_api(chosen, secrets)
    for loss in losses(chosen):
        click.echo(loss, err=True)
    click.echo(json.dumps(rest_api_config(chosen, secrets), indent=2, ensure_ascii=False))
