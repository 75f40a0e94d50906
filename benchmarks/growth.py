"""Growth: the same daily incremental read into a small and into a large table, checks included.

    python benchmarks/growth.py duckdb 100000 10000000
    python benchmarks/growth.py postgres 100000 10000000

A list is read in full once, the table is filled up by SQL to the wanted size, and then reads of changes, each of the
same 1,000 records, are timed: the whole step, from planning to the last check. Then each check is timed by itself.
PostgreSQL is a server of this machine that is started for it, in a temporary folder, with its default settings.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from crm_assets.commands.local_postgres import local_postgres
from crm_assets.declarations.connections import load_connections
from crm_assets.orchestration.checks import check_specs, evaluate
from crm_assets_tests.installation import Installation
from crm_assets_tests.reliability.conftest import own_house

CHANGED, READS = 1000, 5
_TEXTS = [f"text_{number}" for number in range(10)]
_SYSTEM = {
    "title": "Growth",
    "client": {"base_url": "http://127.0.0.1/"},
    "resources": [
        {
            "name": "records",
            "primary_key": "id",
            "write_disposition": "merge",
            "endpoint": {"path": "/records", "data_selector": "items", "paginator": "single_page"},
            "columns": {"id": "bigint", "updated_at": "timestamp", "amount": "double"} | dict.fromkeys(_TEXTS, "text"),
            "incremental": {
                "field": "updated_at",
                "params": {"since": "{incremental.start_value}"},
                "format": "iso",
                "lookback": "0s",
            },
        }
    ],
}


@contextmanager
def server() -> Iterator[str]:
    """Serve the changed records: the first thousand keys, changed a moment ago."""
    turn = iter(range(1_000_000))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            now, number = datetime.now(timezone.utc) - timedelta(seconds=1), next(turn)
            items = [
                {"id": one, "updated_at": now.isoformat(), "amount": number + one / 7}
                | {name: f"{name} of {one} in read {number}" for name in _TEXTS}
                for one in range(CHANGED)
            ]
            body = json.dumps({"items": items}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


@contextmanager
def served_house(destination: str) -> Iterator[Installation]:
    """Give an installation that reads the list into a warehouse of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="growth-")))
        if destination == "postgres":
            os.environ["DESTINATION__POSTGRES__CREDENTIALS"] = stack.enter_context(local_postgres())
        (folder / "systems").mkdir()
        (folder / "systems/growth.yaml").write_text(yaml.safe_dump(_SYSTEM))
        entry = {"name": "growth", "system": "growth", "base_url": stack.enter_context(server())}
        (folder / "connections.yaml").write_text(yaml.safe_dump({"systems": "systems", "connections": [entry]}))
        (connection,) = load_connections(folder / "connections.yaml")
        yield own_house(connection, folder, destination)


def measured(destination: str, rows: int) -> dict[str, Any]:
    """Return the seconds it takes with so many rows in the table: the step, its load, its checks, and each check."""
    with served_house(destination) as house:
        assert house.materialize("growth/records").success
        fill(house, rows)
        found = [once(house) for _ in range(READS + 1)][1:]
        medians = {key: round(statistics.median(one[key] for one in found), 3) for key in found[0]}
        return {"destination": destination, "rows": rows} | medians | each_check(house)


def fill(house: Installation, rows: int) -> None:
    """Add rows of the past to the table until it has so many."""
    names = ["id", "updated_at", "amount", *_TEXTS, "_read_id"]
    others = ", ".join(f"'{name} of ' || n" for name in _TEXTS)
    house.change(
        f"INSERT INTO growth.records ({', '.join(names)}) "
        f"SELECT n, CAST('2024-01-01 00:00:00+00' AS TIMESTAMP WITH TIME ZONE), n / 7.0, {others}, "
        f"(SELECT min(_read_id) FROM growth.records) "
        f"FROM generate_series({CHANGED}, {rows - 1}) AS numbers(n)"
    )
    house.change("ANALYZE")  # as both do by themselves in a table that grows slowly


def once(house: Installation) -> dict[str, float]:
    """Read the changes; return the step's seconds."""
    started = time.perf_counter()
    result = house.materialize("growth/records")
    seconds = time.perf_counter() - started
    assert result.success
    (event,) = result.get_asset_materialization_events()
    facts = event.materialization.metadata
    assert facts["mode"].value == "incremental", facts["mode"]
    return {"step": seconds} | {key: float(str(facts[f"seconds_{key}"].value)) for key in ("load", "checks")}


def each_check(house: Installation) -> dict[str, float]:
    """Return the seconds of each check that is run by itself, so that it looks at the whole table."""
    (connection,), found = house.connections.values(), {}
    resource = connection.system.resource("records")
    with house.warehouse.session("growth", house.folder, print) as session:
        for spec in check_specs(connection, resource):
            started = time.perf_counter()
            assert evaluate(session, connection, resource, spec.name).passed
            found[f"check {spec.name}"] = round(time.perf_counter() - started, 3)
    return found


def main(destination: str, sizes: list[int]) -> None:
    """Print a line per size, and the ratio of the last to the first."""
    found = []
    for size in sizes:
        found.append(measured(destination, size))
        print(json.dumps(found[-1]), flush=True)
    print(f"ratio {found[-1]['step'] / found[0]['step']:.2f}")


if __name__ == "__main__":
    main(sys.argv[1], [int(size) for size in sys.argv[2:]] or [100_000, 10_000_000])
