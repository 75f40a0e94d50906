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
    """Make a declaration of SOURCE: a dlt REST API configuration (Python, module:object, file.py:object, YAML, JSON, a
    document with one), an Airbyte manifest, or an OpenAPI document. What is assumed and lost goes to stderr.

    Python that configures further APIs gets a file for each, named after FILE and the API.

    Exits with 0 if the declaration says all that SOURCE does, with 3 if something is lost, with 1 if nothing can be
    declared.
    """
    from crm_assets.commands.import_source import import_to_file

    sys.exit(0 if import_to_file(source, name, output) else 3)
