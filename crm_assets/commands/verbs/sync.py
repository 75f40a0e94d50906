"""The command ``crm-assets sync``."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

import click

from crm_assets.commands.terminal import DATE, console, days_between

if TYPE_CHECKING:
    from crm_assets.commands.workspace import Workspace


@click.command("sync")
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
    from crm_assets.commands.sync.console import Bars, print_summary, summary_json
    from crm_assets.commands.sync.run_requests import SyncRequest
    from crm_assets.commands.sync.sync import sync_assets

    terminal, started = console(), time.monotonic()
    request = SyncRequest(selection, days_between(first, last), full, fresh)
    with Bars(terminal) as bars:
        results = sync_assets(workspace.located(), request, bars)
    seconds = time.monotonic() - started
    print_summary(results, seconds, terminal)
    if summary:
        summary.write(json.dumps(summary_json(results, seconds), indent=2))
    sys.exit(0 if all(result.succeeded for result in results) else 1)
