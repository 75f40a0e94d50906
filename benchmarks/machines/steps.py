"""How do two workers share the steps of one run, and what becomes of it when one of their machines is lost?"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from machines.accounts import SLOW
from machines.apis import api
from machines.dagster_ui import launch, runs, until_done, watch_for_lost_machines
from machines.fleet import Fleet
from machines.hub import running
from machines.namespaces import HUB, ip
from machines.postgres import query
from machines.power_cut import PowerCut


def steps_by_worker(fleet: Fleet) -> list[str]:
    """Return how many steps of each run each worker has begun."""
    found = query(
        fleet.instance,
        "SELECT substring(event from '@(crm[0-9]+)'), left(run_id, 4), count(*) FROM event_logs "
        "WHERE event LIKE '%in celery worker%' GROUP BY 1, 2 ORDER BY min(timestamp)",
    )
    return [f"{worker}: {count} of run {run}" for worker, run, count in found]


def run_processes() -> int:
    """Return how many processes of the hub work on a run, or wait for its workers."""
    found = 0
    for pid in ip("netns", "pids", HUB).split():
        with suppress(OSError):  # it has ended meanwhile, as the one that lists them has
            found += b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return found


def compare_steps(folder: Path, file: Path, machines: Sequence[str], latency: float) -> dict[str, Any]:
    """Return how two workers share the steps of one run, and what becomes of it when one of their machines is lost."""
    report: dict[str, Any] = {"latency": latency}
    for name, disturbed in (("steps", False), ("steps_lost", True)):
        fleet = Fleet(name, folder, file, 2, "spread_steps", spread=True)
        with running(fleet, machines) as found:
            watch_for_lost_machines()
            api(latency=latency, requests=0)
            power_cut = PowerCut(fleet, found, 20) if disturbed else None
            launch("slow_accounts", execution={"config": fleet.celery()})
            took = until_done(fleet, 1, power_cut or (lambda: None))
            time.sleep(5)
            report[name] = {
                "seconds": took,
                "runs": runs(fleet),
                "steps": steps_by_worker(fleet),
                "requests": {name: one["asked"] for name, one in api().items()},
                "rows": [query(fleet.warehouse, f"SELECT count(*) FROM {name}.contacts")[0][0] for name in SLOW],
                "kill": power_cut and power_cut.report,
                "processes of runs": run_processes(),
            }
        print(json.dumps({name: report[name]}, default=str), flush=True)
    return report
