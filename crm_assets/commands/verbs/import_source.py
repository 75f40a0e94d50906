"""The command ``crm-assets import``."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("import")
@click.argument("source")
@click.option("--name", help="Name of the system (default: the file's).")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write (default: the terminal)."
)
def import_command(source: str, name: str | None, output: Path | None) -> None:
    """Make a declaration of SOURCE: a dlt REST API configuration (Python, module:object, YAML, JSON, a document with
    one) or an Airbyte manifest. What is assumed and lost goes to stderr.

    Exits with 0 if the declaration says all that SOURCE does, with 3 if something is lost, with 1 if nothing can be
    declared.
    """
    from crm_assets.declarations.importers.source import import_source

    imported = import_source(source, name)
    if output:
        output.write_text(imported.text, encoding="utf-8")
    else:
        click.echo(imported.text)
    click.echo(f"{len(imported.notes)} {imported.what}:", err=True)
    for note in imported.notes:
        click.echo(f"  {note}", err=True)
    sys.exit(0 if imported.complete else 3)
