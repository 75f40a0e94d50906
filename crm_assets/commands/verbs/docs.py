"""The command ``crm-assets docs``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("docs")
def docs_command() -> None:
    """Regenerate docs/systems from the declarations."""
    from crm_assets.commands.reference_docs.pages import write_pages

    for path in write_pages(Path.cwd()):
        click.echo(path)
