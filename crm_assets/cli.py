"""``crm-assets``: thin verbs over the package. What a verb needs is imported when it is called."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from crm_assets.commands.terminal import DATE, ErrorsAsLines, console, days_between, show

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace
    from crm_assets.orchestration.report.render import Format


@click.group(cls=ErrorsAsLines, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crm_assets")
@click.pass_context
def main(context: click.Context) -> None:
    """CRM data in your warehouse, through Dagster."""
    from crm_assets.commands.startup import quiet_libraries, read_env_file
    from crm_assets.commands.workspace import Workspace
    from crm_assets.settings import Settings

    quiet_libraries()
    read_env_file()
    context.obj = Workspace(Settings.from_env())


@main.command("init")
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
def init_command(folder: Path) -> None:
    """Write the files of a new FOLDER (default: this one); files that are there already stay as they are."""
    from crm_assets.commands.init import init

    for file in init(folder):
        click.echo(f"{'wrote' if file.new else 'kept '} {file.path}")
    click.echo("Next: enter your accounts in connections.yaml and their secrets in .env, then run crm-assets doctor.")


@main.command("sync")
@click.argument("selection", required=False)
@click.option("--from", "first", type=DATE, help="First day of the windows to read.")
@click.option("--to", "last", type=DATE, help="Last day of the windows to read (default: today).")
@click.option("--full", is_flag=True, help="Read whole lists where only changes would be read.")
@click.option("--fresh", is_flag=True, help="Start over instead of resuming an interrupted sync.")
@click.option("--json", "summary", type=click.File("w", encoding="utf-8"), help="Also write the summary to this file.")
@click.pass_obj
def sync_command(
    workspace: Workspace,
    selection: str | None,
    first: datetime | None,
    last: datetime | None,
    full: bool,
    fresh: bool,
    summary: TextIO | None,
) -> None:
    """Materialize assets without the UI. SELECTION is in Dagster's asset-selection syntax.

    Without dates: full and incremental reads, and every window since start_date never loaded, plus the lookback days.
    Exits with 0 only if every asset was loaded and no check failed.
    """
    from crm_assets.commands.sync.console import Bars, as_json, render
    from crm_assets.commands.sync.run_requests import SyncRequest
    from crm_assets.commands.sync.sync import run

    terminal, started = console(), time.monotonic()
    request = SyncRequest(selection, days_between(first, last), full, fresh)
    with Bars(terminal) as bars:
        results = run(workspace.located(), request, bars)
    seconds = time.monotonic() - started
    render(results, seconds, terminal)
    if summary:
        summary.write(json.dumps(as_json(results, seconds), indent=2))
    sys.exit(0 if all(result.succeeded for result in results) else 1)


@main.command("demo")
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


@main.command("sandbox")
@click.option("--port", default=8765, show_default=True, help="Port on 127.0.0.1.")
@click.option("--rows", default=120, show_default=True, help="Typical number of rows of a list.")
@click.option("--seed", default=7, show_default=True, help="Seed of the generated data.")
@click.option("--days-later", default=0, show_default=True, help="Data as of so many days later.")
@click.option("--print-env", is_flag=True, help="Print the variables that point the connections at it, and exit.")
@click.pass_obj
def sandbox_command(workspace: Workspace, port: int, rows: int, seed: int, days_later: int, print_env: bool) -> None:
    """Serve a local API for every configured connection, with test data."""
    from crm_assets.sandbox import Sandbox, run_forever, sandbox_environment

    connections = workspace.connections
    if print_env:
        for name, value in sandbox_environment(connections, f"http://127.0.0.1:{port}").items():
            click.echo(f"export {name}={value}")
        return
    click.echo(f"Serving {len(connections)} connections at http://127.0.0.1:{port}; Ctrl-C stops.")
    run_forever(Sandbox(connections, rows=rows, seed=seed, state=days_later), port)


@main.command("import")
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


@main.command("discover")
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
    """Look at lists with a few polite requests, and declare what was found; values are never printed."""
    from crm_assets.commands.discover_run import declare, show_update

    if update:
        show_update(workspace, target, write=yes)
        return
    found = declare(workspace, target, auth, paths, name, output)
    sys.exit(3 if found.refused or found.doubts else 0)


@main.command("export-dlt")
@click.argument("connection")
@click.pass_obj
def export_dlt_command(workspace: Workspace, connection: str) -> None:
    """Print a connection's declaration as dlt's own REST API configuration, as JSON; dlt has validated it."""
    from crm_assets.commands.export_dlt import rest_api, rest_api_config

    chosen = workspace.connection(connection)
    secrets = {name: f'dlt.secrets["sources.{chosen.name}.{name}"]' for name in chosen.system.secrets}
    rest_api(chosen, secrets)
    click.echo(json.dumps(rest_api_config(chosen, secrets), indent=2, ensure_ascii=False))


@main.command("export-dbt")
@click.argument("connections", nargs=-1)
@click.option("--database", help="Name of the database, if dbt's target is another one.")
@click.pass_obj
def export_dbt_command(workspace: Workspace, connections: tuple[str, ...], database: str | None) -> None:
    """Print a dbt sources.yml of some connections (default: all), for models that build on the tables."""
    from crm_assets.commands.export_dbt import dbt_sources

    chosen = [workspace.connection(name) for name in connections] if connections else workspace.connections
    click.echo(dbt_sources(chosen, database), nl=False)


@main.command("doctor")
@click.argument("connections", nargs=-1)
@click.pass_obj
def doctor_command(workspace: Workspace, connections: tuple[str, ...]) -> None:
    """Test CONNECTIONS (default: all): request the first pages of every list, and explain what is wrong."""
    from crm_assets.commands.doctor import examine
    from crm_assets.commands.doctor_view import render

    chosen = [workspace.connection(name) for name in connections] or workspace.connections
    diagnoses = examine(chosen, workspace.settings.data_folder)
    show(render(diagnoses))
    sys.exit(0 if all(diagnosis.healthy for diagnosis in diagnoses) else 1)


@main.command("preview")
@click.argument("resource", metavar="CONNECTION.RESOURCE")
@click.option("--rows", default=5, show_default=True, help="Maximum number of rows.")
@click.option("--from", "first", type=DATE, help="First day, for a list that is read by date.")
@click.option("--to", "last", type=DATE, help="Last day (default: today).")
@click.option("--show-pii", is_flag=True, help="Show personal data.")
@click.pass_obj
def preview_command(
    workspace: Workspace, resource: str, rows: int, first: datetime | None, last: datetime | None, show_pii: bool
) -> None:
    """Show sample rows of a list; nothing is loaded, personal data is masked."""
    from crm_assets.commands.preview import preview
    from crm_assets.commands.preview_view import render

    connection, _, name = resource.partition(".")
    shown = preview(
        workspace.connection(connection),
        name,
        workspace.settings.data_folder,
        rows=rows,
        span=days_between(first, last),
        show_pii=show_pii,
    )
    show(render(shown, console().width))


@main.command("plan")
@click.argument("selection", required=False)
@click.option("--from", "first", type=DATE, help="First day of the windows to read.")
@click.option("--to", "last", type=DATE, help="Last day of the windows to read (default: today).")
@click.option("--full", is_flag=True, help="As if whole lists were read.")
@click.pass_obj
def plan_command(
    workspace: Workspace, selection: str | None, first: datetime | None, last: datetime | None, full: bool
) -> None:
    """Show what a sync would request, and how long that takes at the vendor's rate. Nothing is requested."""
    from crm_assets.commands.plan import plan, render
    from crm_assets.commands.sync.run_requests import SyncRequest, select_assets

    workspace = workspace.located()
    tables = select_assets(workspace, SyncRequest(selection)).tables
    wanted = [(workspace.connection(name), {key.path[-1] for key in own}) for name, own in tables.items()]
    show(render(plan(wanted, workspace.warehouse, days=days_between(first, last), full=full)))


@main.command("migrate")
@click.argument("target", required=False, metavar="[CONNECTION[.RESOURCE]]")
@click.option("--yes", "execute", is_flag=True, help="Run the statements; without it they are only shown.")
@click.pass_obj
def migrate_command(workspace: Workspace, target: str | None, execute: bool) -> None:
    """Show how tables would become as they are declared now and what happens to their values; --yes does it."""
    from crm_assets.commands.migrate import migrate, render

    name, _, only = (target or "").partition(".")
    chosen = [workspace.connection(name)] if name else workspace.connections
    show(render([migrate(one, workspace.warehouse, only or None, execute) for one in chosen]))


@main.command("report")
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


@main.command("docs")
def docs_command() -> None:
    """Regenerate docs/systems from the declarations."""
    from crm_assets.commands.reference_docs.pages import write

    for path in write(Path.cwd()):
        click.echo(path)


def run() -> None:
    """Run the command ``crm-assets``."""
    from crm_assets.commands.fast_exit import run_and_exit

    run_and_exit(main)


if __name__ == "__main__":
    run()
