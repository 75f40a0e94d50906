"""Report: the state of all tables, from the Dagster instance and the warehouse, as a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

import click
import dagster as dg

from crm_assets.commands.dagster_home import open_instance
from crm_assets.commands.workspace import Workspace
from crm_assets.errors import CommandError
from crm_assets.orchestration.report.collect import collect
from crm_assets.orchestration.report.render import Format, render_report


def write_report(workspace: Workspace, form: Format | None, output: TextIO) -> bool:
    """Write the report, and return whether no check failed.

    Args:
        workspace: Its connections are reported.
        form: By default what the file's name ends with says; Markdown otherwise.
        output: The file.

    Raises:
        CommandError: Nothing was ever run.
    """
    with last_instance(workspace.warehouse.folder) as instance:
        report = collect(workspace.connections, instance, workspace.warehouse, _say)
    output.write(render_report(report, form or _form_of(output.name)))
    return report.healthy


def last_instance(data_folder: Path) -> dg.DagsterInstance:
    """Open the instance of all commands.

    Raises:
        CommandError: Nothing was ever run in it.
    """
    if not os.environ.get("DAGSTER_HOME") and not (data_folder / "dagster").exists():
        raise CommandError("There is nothing to report yet: run `crm-assets sync` first.")
    return open_instance(data_folder)


def _form_of(name: str) -> Format:
    forms: dict[str, Format] = {".html": "html", ".json": "json"}
    return forms.get(Path(name).suffix, "markdown")


def _say(text: str) -> None:
    click.echo(text, err=True)
