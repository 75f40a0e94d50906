"""How long do one worker and three take for accounts whose API takes its time?"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machines.accounts import SLOW
from machines.apis import api
from machines.dagster_ui import launch, until_done
from machines.phase import phase


def compare_throughput(folder: Path, file: Path, machines: Sequence[str], latency: float) -> dict[str, Any]:
    """Return how long one worker and three take for six accounts whose API takes its time."""
    report: dict[str, Any] = {"latency": latency}
    for name, chosen in (("slow_one", machines[:1]), ("slow_three", machines)):
        with phase(name, folder, file, chosen) as (fleet, _):
            api(latency=0.5, requests=0)
            for account in SLOW[: len(chosen)]:  # what a worker imports once is not measured
                launch(f"{account}_lists")
            until_done(fleet, len(chosen))
            api(latency=latency, requests=0)
            since = time.time()
            for account in SLOW:
                launch(f"{account}_lists")
            report[name] = until_done(fleet, len(chosen) + len(SLOW), since=since)
            report["requests"] = sum(one["asked"] for one in api().values())
        print(json.dumps({name: report[name]}), flush=True)
    report["ratio"] = round(report["slow_one"] / report["slow_three"], 2)
    return report
