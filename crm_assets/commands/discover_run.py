"""The two ways of ``discover``: declare lists that are looked at, and turn undeclared fields into columns."""

from __future__ import annotations

from pathlib import Path

import click

from crm_assets.commands.discover import Discovery, chosen, discover
from crm_assets.commands.discover_update import update_columns
from crm_assets.commands.discover_view import remarks
from crm_assets.commands.workspace import Workspace


def show_update(workspace: Workspace, connection: str, *, write: bool) -> None:
    """Print how the connections file changes, and change it if asked to."""
    changed = update_columns(workspace.connection(connection), workspace.warehouse, workspace.settings, write=write)
    click.echo(changed.diff or "No undeclared field has a value in the loaded tables.")
    click.echo(changed.next_step, err=True)


def declare(
    workspace: Workspace, target: str, auth: str, paths: tuple[str, ...], name: str | None, output: Path | None
) -> Discovery:
    """Print or write the declaration of what is at a URL, or of a connection's lists; remarks go to stderr.

    Args:
        workspace: Has the connections.
        target: A URL, or a connection's name, or that with a resource's name.
        auth: For a URL: how requests are authenticated.
        paths: For a URL: paths of lists below it.
        name: For a URL: the connection's name.
        output: File to write.

    Raises:
        CommandError: No list could be examined, or an argument cannot be used.
    """
    state = workspace.shared_state
    if "://" in target:
        connection, only = chosen(target, auth, paths, name, state), ""
    else:
        named, _, only = target.partition(".")
        connection = workspace.connection(named)
    discovery = discover(connection, only or None, state)
    click.echo("\n".join(remarks(discovery)), err=True)
    if output:
        output.write_text(discovery.text, encoding="utf-8")
        click.echo(f"Wrote {output}.", err=True)
    else:
        click.echo(discovery.text, nl=False)
    return discovery
