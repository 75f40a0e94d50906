"""The command ``crm-assets init``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("init")
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
def init_command(folder: Path) -> None:
    """Write the files of a new FOLDER (default: this one); files that are there already stay as they are."""
    from crm_assets.commands.init import init

    for file in init(folder):
        click.echo(f"{'wrote' if file.new else 'kept '} {file.path}")
    click.echo("Next: enter your accounts in connections.yaml and their secrets in .env, then run crm-assets doctor.")
