"""Growth: the same daily incremental read into a small and into a large table, checks included.

    python benchmarks/growth.py duckdb 100000 10000000
    python benchmarks/growth.py postgres 100000 10000000 --list versions

A list is read in full once, the table is filled up by SQL to the wanted size, and then reads of changes, each of the
same 1,000 records, are timed: the whole step, from planning to the last check. Then each check is timed by itself.
The lists are in ``growth_lists.py``: ``records``, ``named``, ``versions``, ``found``, ``per_owner``, ``days``.
PostgreSQL is a server of this machine that is started for it, in a temporary folder, with its default settings.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml
from growth_lists import CHANGED, OWNERS, SYSTEM, TEXTS, server

sys.path.insert(0, str(Path(__file__).parents[1]))

from crm_assets.commands.local_postgres import local_postgres
from crm_assets.declarations.connections import load_connections
from crm_assets.orchestration.checks import check_specs, evaluate
from crm_assets_tests.installation import Installation, Result
from crm_assets_tests.reliability.conftest import own_house

READS = 5


@contextmanager
def served_house(destination: str) -> Iterator[Installation]:
    """Give an installation that reads the list into a warehouse of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="growth-")))
        if destination == "postgres":
            os.environ["DESTINATION__POSTGRES__CREDENTIALS"] = stack.enter_context(local_postgres())
        (folder / "systems").mkdir()
        (folder / "systems/growth.yaml").write_text(yaml.safe_dump(SYSTEM))
        entry = {"name": "growth", "system": "growth", "base_url": stack.enter_context(server())}
        (folder / "connections.yaml").write_text(yaml.safe_dump({"systems": "systems", "connections": [entry]}))
        (connection,) = load_connections(folder / "connections.yaml")
        yield own_house(connection, folder, destination)


def measured(destination: str, name: str, rows: int) -> dict[str, Any]:
    """Return the seconds it takes with so many rows in the table: the step, its load, its checks, and each check."""
    with served_house(destination) as house:
        for each in ("owners", name):
            assert read(house, each).success
        fill(house, name, rows)
        found = [once(house, name) for _ in range(READS + 1)][1:]
        medians = {key: round(statistics.median(one[key] for one in found), 3) for key in found[0]}
        facts = {"destination": destination, "list": name, "rows": rows}
        return facts | medians | each_check(house, name)


def fill(house: Installation, name: str, rows: int) -> None:
    """Add rows of the past to the table until it has so many, and to that of its parents a tenth of that."""
    (connection,) = house.connections.values()
    brought = f"(SELECT min(_read_id) FROM growth.{name})"
    values = {
        "id": "n",
        "updated_at": "CAST('2024-01-01 00:00:00+00' AS TIMESTAMP WITH TIME ZONE)",
        "amount": "n / 7.0",
        "owner_id": f"n % {OWNERS}" if name == "per_owner" else f"n % {rows // 10}",
        "serial": "n",
        **{text: f"'{text} of ' || n" for text in TEXTS},
    }
    names = {*connection.system.resource(name).columns, *(["serial"] if name == "found" else [])}
    chosen = {column: value for column, value in values.items() if column in names}
    insert(house, name, chosen | {"_read_id": brought}, CHANGED, rows)
    if connection.system.resource(name).history:
        insert(house, f"{name}__history", chosen | {"_read_id": brought}, CHANGED, rows)
    if name == "named":
        insert(
            house, "owners", {"id": "n", "_read_id": "(SELECT min(_read_id) FROM growth.owners)"}, OWNERS, rows // 10
        )
    house.change(f"UPDATE growth._reads SET table_rows = {rows} WHERE resource = '{name}'")
    house.change("ANALYZE")  # as both do by themselves in a table that grows slowly


def insert(house: Installation, table: str, values: dict[str, str], first: int, end: int) -> None:
    """Add a row for each number ``n``."""
    house.change(
        f"INSERT INTO growth.{table} ({', '.join(values)}) SELECT {', '.join(values.values())} "
        f"FROM generate_series({first}, {end - 1}) AS numbers(n)"
    )


def read(house: Installation, name: str) -> Result:
    """Read a list, of windows today's."""
    (connection,) = house.connections.values()
    day = datetime.now(timezone.utc).date().isoformat()
    return house.materialize(f"growth/{name}", day=day if connection.system.resource(name).window else None)


def once(house: Installation, name: str) -> dict[str, float]:
    """Read the changes; return the step's seconds."""
    started = time.perf_counter()
    result = read(house, name)
    seconds = time.perf_counter() - started
    assert result.success
    (event,) = result.get_asset_materialization_events()
    facts = event.materialization.metadata
    assert facts["mode"].value != "full_refresh"
    return {"step": seconds} | {key: float(str(facts[f"seconds_{key}"].value)) for key in ("load", "checks")}


def each_check(house: Installation, name: str) -> dict[str, float]:
    """Return the seconds of each check that is run by itself, so that it looks at the whole table."""
    (connection,), found = house.connections.values(), {}
    resource = connection.system.resource(name)
    with house.warehouse.session("growth", house.folder, print) as session:
        for spec in check_specs(connection, resource):
            started = time.perf_counter()
            evaluate(session, connection, resource, spec.name)
            found[f"check {spec.name}"] = round(time.perf_counter() - started, 3)
    return found


def main(arguments: Sequence[str]) -> None:
    """Print a line per size, and the ratio of the last to the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("destination", choices=["duckdb", "postgres"])
    parser.add_argument("sizes", nargs="*", type=int, default=[100_000, 10_000_000])
    parser.add_argument("--list", default="records")
    given, found = parser.parse_args(arguments), []
    for size in given.sizes:
        found.append(measured(given.destination, given.list, size))
        print(json.dumps(found[-1]), flush=True)
    print(f"ratio {found[-1]['step'] / found[0]['step']:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
