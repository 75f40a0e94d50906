"""One turn of one contender in one scenario: set the stage, run, check what was loaded."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import measure
import yaml
from catalog import FOLDER, SUMMARY, Contender, environment
from record import COLUMNS, expected
from scenarios import RECORDS, Scenario
from server import Server
from verify import differences

SHOWN_FAULTS = 3


def take(scenario: Scenario, contender: Contender, server: Server, timeout: float) -> dict[str, Any]:
    """Run a contender once in a fresh folder and return all that was measured, with what was wrong under ``faults``."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        _write_connections(scenario, server, folder)
        variables = _environment(scenario, server, folder)
        server.set(rows=scenario.rows, per_page=scenario.per_page, changed=0, **_limits(scenario))
        if scenario.changed is not None:
            first = measure.run(contender.command, folder, variables, timeout)
            server.set(changed=scenario.changed)
            if first.status:
                return _told(
                    first, server, folder, [f"the first sync ended with {first.status}: {_last_words(folder)}"]
                )
        cost = measure.run(contender.command, folder, variables, timeout)
        if cost.status:
            return _told(cost, server, folder, [f"ended with {cost.status}: {_last_words(folder)}"])
        return _told(cost, server, folder, _check(scenario, contender, folder) if scenario.stored else [])


def _told(cost: measure.Measured, server: Server, folder: Path, faults: list[str]) -> dict[str, Any]:
    shown = [_placeless(fault, folder) for fault in faults[:SHOWN_FAULTS]]
    return {**asdict(cost), **server.stats(), **_summary(folder), "faults": shown}


def _limits(scenario: Scenario) -> dict[str, float]:
    return {"latency_ms": 0, "rate": 0, **scenario.server}


def _environment(scenario: Scenario, server: Server, folder: Path) -> dict[str, str]:
    return {
        **environment(),
        "BENCH_URL": server.url,
        "BENCH_PER_PAGE": str(scenario.per_page),
        "BENCH_MODE": scenario.mode,
        "BENCH_COLUMNS": json.dumps(COLUMNS),
        "BENCH_SYSTEMS": json.dumps(scenario.lists),
        "DLT_DATA_DIR": str(folder / ".dlt"),
        "CRM_ASSETS_DATA": str(folder / "data"),
        "CRM_ASSETS_CONNECTIONS": str(
            folder / "connections.yaml" if scenario.stored else FOLDER.parent / "connections.yaml"
        ),
        **{f"SOURCES__{connection.upper()}__TOKEN": "benchmark" for connection in scenario.lists},
    }


def _write_connections(scenario: Scenario, server: Server, folder: Path) -> None:
    connections = [
        {
            "name": name,
            "system": scenario.system if scenario.lists == RECORDS else f"bench_{name}",
            "base_url": server.url if scenario.lists == RECORDS else f"{server.url}/{name}",
        }
        for name in scenario.lists
    ]
    systems = str(FOLDER / "contenders" / "crm_assets" / "systems")
    (folder / "connections.yaml").write_text(yaml.safe_dump({"systems": systems, "connections": connections}))


def _check(scenario: Scenario, contender: Contender, folder: Path) -> list[str]:
    if contender.database is None:
        return []
    wanted = expected(scenario.rows, scenario.changed or 0)
    faults = []
    for connection, lists in scenario.lists.items():
        tables = tuple(contender.table.format(connection=connection, list=name) for name in lists)
        faults += differences(folder / contender.database, tables, wanted)
    return faults


def _summary(folder: Path) -> dict[str, Any]:
    file = folder / SUMMARY
    return {"summary": json.loads(file.read_text())} if file.exists() else {}


def _placeless(text: str, folder: Path) -> str:
    """Return the text without the paths of this machine, since results are published."""
    for place in (str(folder), str(FOLDER.parent), sys.base_prefix):
        text = text.replace(place, "...")
    return text


def _last_words(folder: Path) -> str:
    lines = (folder / "output.log").read_text(errors="replace").strip().splitlines()
    return " / ".join(lines[-3:])[-400:]
