"""``crm-assets``: thin verbs over the package. What a verb needs is imported when it is called."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

_DATE = click.DateTime(["%Y-%m-%d"])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crm_assets")
def main() -> None:
    """CRM data in your warehouse, through Dagster."""
    from crm_assets.commands.startup import quiet_libraries

    quiet_libraries()


@main.command()
@click.argument("selection", required=False)
@click.option("--from", "first", type=_DATE, help="First day of the windows to read.")
@click.option("--to", "last", type=_DATE, help="Last day of the windows to read (default: today).")
@click.option("--full", is_flag=True, help="Read whole lists where only changes would be read.")
@click.option("--json", "report", type=click.Path(dir_okay=False, path_type=Path), help="Also write the summary here.")
def sync(selection: str | None, first: datetime | None, last: datetime | None, full: bool, report: Path | None) -> None:
    """Materialize assets without the UI. SELECTION is in Dagster's asset-selection syntax.

    Without dates: full and incremental reads, and every window since start_date never loaded, plus the lookback days.
    Exits with 0 only if every asset was loaded and no check failed.
    """
    from crm_assets.commands.sync.run_requests import SyncRequest

    with _in_words():
        outcomes = _sync(SyncRequest(selection, _days(first, last), full), report)
    sys.exit(0 if all(outcome.succeeded for outcome in outcomes) else 1)


@main.command()
@click.option("--ui/--no-ui", default=True, help="Serve the Dagster UI afterwards.")
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI on 127.0.0.1.")
@click.option("--rows", default=120, show_default=True, help="Typical number of rows of a list.")
def demo(ui: bool, port: int, rows: int) -> None:
    """Show everything: sandbox up, all assets materialized and checked, then the Dagster UI."""
    from crm_assets.commands.demo import run_demo

    with _in_words():
        sys.exit(run_demo(ui=ui, port=port, rows=rows))


@main.command()
@click.option("--port", default=8765, show_default=True, help="Port on 127.0.0.1.")
@click.option("--rows", default=120, show_default=True, help="Typical number of rows of a list.")
@click.option("--seed", default=7, show_default=True, help="Another seed makes other people and companies.")
@click.option("--days-later", default=0, show_default=True, help="State of the data: some changed, came and went.")
@click.option("--print-env", is_flag=True, help="Only print what to set so that the connections use it.")
def sandbox(port: int, rows: int, seed: int, days_later: int, print_env: bool) -> None:
    """Serve a local API for every configured connection, with test data."""
    from crm_assets.declarations.connections import load_connections
    from crm_assets.sandbox import Sandbox, run_forever, sandbox_environment

    with _in_words():
        connections = load_connections()
        if print_env:
            for name, value in sandbox_environment(connections, f"http://127.0.0.1:{port}").items():
                click.echo(f"export {name}={value}")
            return
        click.echo(f"Serving {len(connections)} connections at http://127.0.0.1:{port}; Ctrl-C stops.")
        run_forever(Sandbox(connections, rows=rows, seed=seed, state=days_later), port)


@main.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="Name of the system (default: the file's).")
def import_(file: Path, name: str | None) -> None:
    """Turn a dlt REST API configuration (a document or its Python) into a declaration, and list every repair."""
    from crm_assets.declarations.importers import import_config

    with _in_words():
        seed = import_config(file.read_text(encoding="utf-8"), name or file.stem.lower().replace("-", "_"))
        click.echo(seed.yaml)
        click.echo(f"{len(seed.repairs)} repairs:", err=True)
        for repair in seed.repairs:
            click.echo(f"  {repair.kind:8} {repair.key}: {repair.what} ({repair.why})", err=True)


@main.command("export-dlt")
@click.argument("connection")
def export_dlt(connection: str) -> None:
    """Print a connection's declaration as dlt's own REST API configuration, as JSON; dlt has validated it."""
    from crm_assets.commands.export_dlt import rest_api, rest_api_config

    with _in_words():
        chosen = _connection(connection)
        secrets = {name: f'dlt.secrets["sources.{chosen.name}.{name}"]' for name in chosen.system.client.auth.secrets}
        rest_api(chosen, secrets)
        click.echo(json.dumps(rest_api_config(chosen, secrets), indent=2, ensure_ascii=False))


@main.command()
@click.argument("connections", nargs=-1)
def doctor(connections: tuple[str, ...]) -> None:
    """Ask every list of CONNECTIONS (default: all) for one page, and say in words what is wrong."""
    from crm_assets.commands.doctor import examine, render
    from crm_assets.warehouse.warehouse import Warehouse

    with _in_words():
        diagnoses = examine([_connection(name) for name in connections or _names()], Warehouse().folder)
    _print(render(diagnoses))
    sys.exit(0 if all(diagnosis.healthy for diagnosis in diagnoses) else 1)


@main.command()
@click.argument("resource", metavar="CONNECTION.RESOURCE")
@click.option("--rows", default=5, show_default=True, help="Greatest number of rows.")
@click.option("--from", "first", type=_DATE, help="First day, of a list that is read by date.")
@click.option("--to", "last", type=_DATE, help="Last day (default: today).")
@click.option("--show-pii", is_flag=True, help="Show personal data.")
def preview(resource: str, rows: int, first: datetime | None, last: datetime | None, show_pii: bool) -> None:
    """Show sample rows of a list; nothing is loaded, personal data is masked."""
    from crm_assets.commands.preview import preview as first_rows
    from crm_assets.commands.preview import render
    from crm_assets.warehouse.warehouse import Warehouse

    with _in_words():
        name, _, list_ = resource.partition(".")
        options = {"rows": rows, "span": _days(first, last), "show_pii": show_pii}
        shown = first_rows(_connection(name), list_, Warehouse().folder, **options)
    _print(render(shown, _console().width))


@main.command()
@click.argument("selection", required=False)
@click.option("--from", "first", type=_DATE, help="First day of the windows to read.")
@click.option("--to", "last", type=_DATE, help="Last day of the windows to read (default: today).")
@click.option("--full", is_flag=True, help="As if whole lists were read.")
def plan(selection: str | None, first: datetime | None, last: datetime | None, full: bool) -> None:
    """Say what a sync would request, and how long that takes at the vendor's rate. Nothing is requested."""
    from crm_assets.commands.plan import plan as requests_of
    from crm_assets.commands.plan import render
    from crm_assets.commands.sync.run_requests import SyncRequest, chosen
    from crm_assets.definitions import defs
    from crm_assets.warehouse.warehouse import Warehouse

    with _in_words():
        days = _days(first, last)
        keys = chosen(defs(), SyncRequest(selection))
        wanted = [(_connection(name), {key.path[-1] for key in own}) for name, own in keys.items()]
        plans = requests_of(wanted, Warehouse(), days=days, full=full)
    _print(render(plans))


@main.command()
@click.option(
    "--format", "form", type=click.Choice(["markdown", "json", "html"]), default="markdown", show_default=True
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write (default: the terminal)."
)
def report(form: Any, output: Path | None) -> None:
    """Export the last result of every asset check, from DAGSTER_HOME or the demo's instance."""
    from crm_assets.commands.report import report as last_results
    from crm_assets.commands.report_view import render
    from crm_assets.declarations.connections import load_connections

    with _in_words():
        instance = _instance()
        text = render(last_results(load_connections(), instance), form)
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        click.echo(text)


@main.command()
def docs() -> None:
    """Write docs/systems anew from the declarations."""
    from crm_assets.commands.reference_docs.pages import write

    for path in write(Path.cwd()):
        click.echo(path)


def _instance() -> Any:
    import os

    import dagster as dg

    from crm_assets.warehouse.warehouse import Warehouse

    demo = Warehouse().folder.resolve() / "dagster"
    if not os.environ.get("DAGSTER_HOME") and not demo.exists():
        raise ValueError(
            "There is no report yet: set DAGSTER_HOME to the instance that ran the checks, or run the demo."
        )
    os.environ.setdefault("DAGSTER_HOME", str(demo))
    return dg.DagsterInstance.get()


def _names() -> list[str]:
    from crm_assets.declarations.connections import load_connections

    return [connection.name for connection in load_connections()]


def _console() -> Any:
    from rich.console import Console

    return Console()


def _print(renderable: Any) -> None:
    _console().print(renderable)


def _sync(order: Any, report: Path | None = None) -> Any:
    from crm_assets.commands.sync.console import Bars, as_json, render
    from crm_assets.commands.sync.sync import run
    from crm_assets.definitions import defs

    console, started = _console(), time.monotonic()
    with Bars(console) as bars:
        outcomes = run(defs(), order, bars)
    seconds = time.monotonic() - started
    render(outcomes, seconds, console)
    if report:
        report.write_text(json.dumps(as_json(outcomes, seconds), indent=2), encoding="utf-8")
    return outcomes


def _connection(name: str) -> Any:
    from crm_assets.declarations.connections import load_connections
    from crm_assets.declarations.errors import unknown

    connections = {connection.name: connection for connection in load_connections()}
    if name not in connections:
        raise click.ClickException(unknown("connection", name, connections))
    return connections[name]


def _days(first: datetime | None, last: datetime | None) -> Any:
    from crm_assets.date_range import DateRange

    if first is None and last is None:
        return None
    if first is None:
        raise click.UsageError("--to needs --from")
    end = last.date() if last else datetime.now().astimezone().date()
    if end < first.date():
        raise click.UsageError("--to lies before --from")
    return DateRange(first.date(), end + timedelta(days=1))


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn what a person can mend into one line; everything else keeps its traceback."""
    from crm_assets.extract.errors import ReadError
    from crm_assets.warehouse.errors import WarehouseError

    try:
        yield
    except (ValueError, ReadError, WarehouseError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("\nStopped. What was loaded stays; run again for the rest.", err=True)
        sys.exit(130)


def run() -> None:
    """Be the command ``crm-assets``."""
    from crm_assets.commands.fast_exit import run_and_exit

    run_and_exit(main)


if __name__ == "__main__":
    run()
