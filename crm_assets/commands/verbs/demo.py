"""The command ``crm-assets demo``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace


@click.command("demo")
@click.option("--ui/--no-ui", default=True, help="Serve the Dagster UI afterwards.")
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI on 127.0.0.1.")
@click.option("--rows", default=120, show_default=True, help="Typical number of rows of a list.")
@click.option(
    "--destination", help="Where to load, such as postgres; without credentials a PostgreSQL server is started."
)
@click.pass_obj
def demo_command(workspace: Workspace, ui: bool, port: int, rows: int, destination: str | None) -> None:
    """Start a sandbox, materialize and check all assets against it, then serve the Dagster UI."""
    from crm_assets.commands.demo import run_demo

    sys.exit(run_demo(workspace, ui=ui, port=port, rows=rows, destination=destination))
