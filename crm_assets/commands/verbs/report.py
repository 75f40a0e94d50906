"""The command ``crm-assets report``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace
    from crm_assets.orchestration.report.render import Format


@click.command("report")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json", "html"]),
    help="Default: by the name of the output file, else markdown.",
)
@click.option("--output", type=click.File("w", encoding="utf-8"), default="-", help="File to write.")
@click.pass_obj
def report_command(workspace: Workspace, form: Format | None, output: TextIO) -> None:
    """Write what is wrong, since when and what to do, and what changed; exit code 1 if a check failed."""
    from crm_assets.commands.report import write_report

    sys.exit(0 if write_report(workspace, form, output) else 1)
