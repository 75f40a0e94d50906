"""The command ``crm-assets discover``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace


@click.command("discover")
@click.argument("target", metavar="URL|CONNECTION[.RESOURCE]")
@click.option(
    "--auth", default="none", show_default=True, help="none, bearer, basic, header:NAME, query:NAME, oauth:URL."
)
@click.option("--path", "paths", multiple=True, help="Path of a list below the URL; may be given several times.")
@click.option("--name", help="Name of the connection and its secrets (default: from the URL's host).")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write (default: print it).")
@click.option("--update", is_flag=True, help="Turn undeclared fields of loaded tables into columns of the connection.")
@click.option("--yes", is_flag=True, help="With --update: write the file; without it the change is only shown.")
@click.pass_obj
def discover_command(
    workspace: Workspace,
    target: str,
    auth: str,
    paths: tuple[str, ...],
    name: str | None,
    output: Path | None,
    update: bool,
    yes: bool,
) -> None:
    """Examine lists with a few polite requests and write a declaration; values are never printed."""
    from crm_assets.commands.discover_run import declare, show_update

    if update:
        show_update(workspace, target, write=yes)
        return
    discovery = declare(workspace, target, auth, paths, name, output)
    sys.exit(3 if discovery.refused or discovery.doubts else 0)
