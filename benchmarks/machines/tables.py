"""Do three workers, one of which dies, load the same tables as one?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from crm_assets.declarations.connections import load_connections
from crm_assets.orchestration.automation.jobs import jobs_of
from machines.accounts import LIMIT, SYSTEMS, TODAY
from machines.apis import api
from machines.dagster_ui import backfill, launch, runs, until_done
from machines.fleet import Fleet
from machines.phase import phase
from machines.postgres import query
from machines.power_cut import PowerCut

_IGNORED = ("_dlt_id", "_dlt_load_id", "_read_id", "_first_seen_at", "_changed_at")
"""Columns that name a read or say when it was."""


def everything(file: Path, days: int) -> int:
    """Launch all lists of all systems and the windows of so many days, in thirds; return the number of runs."""
    count = 0
    names = [(TODAY - timedelta(days=days - 1 - day)).isoformat() for day in range(days)]
    third = -(-days // 3)
    for connection in load_connections(file):
        if connection.name not in SYSTEMS:
            continue
        for job in jobs_of(connection):
            parts = [names[at : at + third] for at in range(0, days, third)] if job.partitions else []
            for part in parts:
                backfill(connection.name, [resource.name for resource in job.resources], part)
            if not job.partitions:
                launch(job.definition.name)
            count += len(parts) or 1
    return count


def tables(fleet: Fleet) -> dict[str, list[str]]:
    """Return the rows of all tables and views of the systems, without what names a read or its time."""
    listed = query(
        fleet.warehouse,
        "SELECT table_schema, table_name, string_agg(quote_ident(column_name), ',' ORDER BY ordinal_position) "
        "FROM information_schema.columns WHERE table_schema IN "
        f"({', '.join(repr(name) for name in SYSTEMS)}) AND table_name NOT LIKE '\\_%' "
        f"AND column_name NOT IN ({', '.join(repr(name) for name in _IGNORED)}) GROUP BY 1, 2",
    )
    return {
        f"{schema}.{table}": sorted(
            str(row) for row in query(fleet.warehouse, f'SELECT {names} FROM {schema}."{table}"')
        )
        for schema, table, names in listed
    }


def compare_tables(folder: Path, file: Path, machines: Sequence[str], days: int) -> dict[str, Any]:
    """Return whether three workers, one of which dies, load what one loads."""
    found: dict[str, dict[str, list[str]]] = {}
    report: dict[str, Any] = {}
    for name, chosen in (("one", machines[:1]), ("three", machines)):
        api(latency=0.05, requests=LIMIT["requests"], per=60)  # type: ignore[arg-type]
        with phase(name, folder, file, chosen) as (fleet, running_):
            before = sum(one["asked"] for one in report["one"]["api"].values()) if report else 0
            power_cut = PowerCut(fleet, running_, before // 3) if report else None
            expected = everything(file, days)
            took = until_done(fleet, expected, power_cut or (lambda: None))
            found[name] = tables(fleet)
            report[name] = {"seconds": took, "runs": runs(fleet), "api": api(), "kill": power_cut and power_cut.report}
        print(json.dumps({name: report[name]}), flush=True)
    differing = [table for table in found["one"] if found["one"][table] != found["three"].get(table)]
    report["tables"], report["rows"] = len(found["one"]), sum(map(len, found["one"].values()))
    report["differing"] = differing + sorted(found["three"].keys() - found["one"].keys())
    return report
