"""The command ``crm-assets sandbox``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace


@click.command("sandbox")
@click.option("--port", default=8765, show_default=True, help="Port on 127.0.0.1.")
@click.option("--rows", default=120, show_default=True, help="Typical number of rows of a list.")
@click.option("--seed", default=7, show_default=True, help="Seed of the generated data.")
@click.option("--days-later", default=0, show_default=True, help="Serve the data as it is this many days later.")
@click.option("--print-env", is_flag=True, help="Print the variables that point the connections at it, and exit.")
@click.pass_obj
def sandbox_command(workspace: Workspace, port: int, rows: int, seed: int, days_later: int, print_env: bool) -> None:
    """Serve a local API for every configured connection, with test data."""
    from crm_assets.errors import CommandError
    from crm_assets.sandbox import Sandbox, run_forever, sandbox_environment

    connections = workspace.connections
    if print_env:
        for name, value in sandbox_environment(connections, f"http://127.0.0.1:{port}").items():
            click.echo(f"export {name}={value}")
        return
    click.echo(f"Serving {len(connections)} connections at http://127.0.0.1:{port}; Ctrl-C stops.")
    try:
        run_forever(Sandbox(connections, rows=rows, seed=seed, state=days_later), port)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CommandError(f"port {port} cannot be used ({reason}); choose another with --port") from error
