"""Growth: the same daily incremental read into a small and into a large table, checks included.

    python benchmarks/growth.py 100000 10000000

A list is read in full once, the table is filled up by SQL to the wanted size, and then reads of changes, each of the
same 1,000 records, are timed. DuckDB; the whole step counts, from planning to the last check.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from crm_assets.declarations.connections import load_connections
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


def measured(rows: int) -> dict[str, Any]:
    """Return the figures of a table of so many rows: seconds of the step, of its load and of its checks."""
    with tempfile.TemporaryDirectory(prefix="growth-") as name, server() as url:
        folder = Path(name)
        (folder / "systems").mkdir()
        (folder / "systems/growth.yaml").write_text(yaml.safe_dump(_SYSTEM))
        entry = {"name": "growth", "system": "growth", "base_url": url}
        (folder / "connections.yaml").write_text(yaml.safe_dump({"systems": "systems", "connections": [entry]}))
        (connection,) = load_connections(folder / "connections.yaml")
        house = own_house(connection, folder)
        assert house.materialize("growth/records").success
        fill(house.warehouse.database, rows)
        found = [once(house) for _ in range(READS + 1)][1:]
    return {"rows": rows} | {key: round(statistics.median(one[key] for one in found), 3) for key in found[0]}


def fill(database: Path, rows: int) -> None:
    """Add rows of the past to the table until it has so many."""
    others = ", ".join(f"'{name} of ' || n AS {name}" for name in _TEXTS)
    with duckdb.connect(str(database)) as warehouse:
        warehouse.execute(
            f"INSERT INTO growth.records BY NAME SELECT n AS id, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS updated_at, "
            f"n / 7 AS amount, {others}, (SELECT min(_read_id) FROM growth.records) AS _read_id "
            f"FROM range({CHANGED}, {rows}) AS numbers(n)"
        )


def once(house: Any) -> dict[str, float]:
    """Read the changes; return the step's seconds."""
    started = time.perf_counter()
    result = house.materialize("growth/records")
    seconds = time.perf_counter() - started
    assert result.success
    (event,) = result.get_asset_materialization_events()
    facts = event.materialization.metadata
    assert facts["mode"].value == "incremental", facts["mode"]
    return {"step": seconds} | {key: float(facts[f"seconds_{key}"].value) for key in ("load", "checks")}


def main(sizes: list[int]) -> None:
    """Print a line per size, and the ratio of the last to the first."""
    found = []
    for size in sizes:
        found.append(measured(size))
        print(json.dumps(found[-1]), flush=True)
    print(f"ratio {found[-1]['step'] / found[0]['step']:.2f}")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [100_000, 10_000_000])
