"""One turn of one contender in one scenario: set the stage, run, check what was loaded."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import measure
import yaml
from catalog import FOLDER, Contender, environment
from record import COLUMNS, expected
from scenarios import RECORDS, Scenario
from server import Server
from verify import differences

SUMMARY = "summary.json"
"""File in which our contender reports its stages; see the README."""


def take(scenario: Scenario, contender: Contender, server: Server, timeout: float) -> dict[str, Any]:
    """Run a contender once in a fresh folder and return all that was measured, with what was wrong under ``faults``."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        if contender.name == "crm_assets":
            _write_connections(scenario, server, folder)
        variables = _environment(scenario, server, folder)
        server.set(rows=scenario.rows, per_page=scenario.per_page, changed=0, **_limits(scenario))
        if scenario.changed:
            first = measure.run(contender.command, folder, variables, timeout)
            if first.status:
                return {**asdict(first), "faults": [f"the first sync ended with {first.status}: {_last_words(folder)}"]}
            server.set(changed=scenario.changed)
        cost = measure.run(contender.command, folder, variables, timeout)
        faults = [f"ended with {cost.status}: {_last_words(folder)}"] if cost.status else []
        if scenario.stored and not cost.status:
            faults += _check(scenario, contender, folder)
        return {**asdict(cost), **server.stats(), **_summary(folder), "faults": faults}


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
        **(
            {"CRM_ASSETS_CONNECTIONS": str(folder / "connections.yaml")}
            if (folder / "connections.yaml").exists()
            else {}
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
    wanted = expected(scenario.rows, scenario.changed)
    faults = []
    for connection, lists in scenario.lists.items():
        tables = tuple(contender.table.format(connection=connection, list=name) for name in lists)
        faults += differences(folder / contender.database.format(connection=connection), tables, wanted)
    return faults


def _summary(folder: Path) -> dict[str, Any]:
    file = folder / SUMMARY
    return {"summary": json.loads(file.read_text())} if file.exists() else {}


def _last_words(folder: Path) -> str:
    lines = (folder / "output.log").read_text(errors="replace").strip().splitlines()
    return " / ".join(lines[-3:])[-400:]
