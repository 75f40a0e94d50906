"""Loads into a DuckLake, each in a process that this one forks: ``python -m crm_assets_tests.lake_program``.

DuckDB's extensions are packaged for an older version of it than the other tests run with, so this is a program of an
environment of its own. Each line of standard input is an order; each has one line of JSON for an answer, which tells
what the lake holds right after the order was carried out or the process was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb

from crm_assets.declarations.connection_overrides import apply_connection
from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.models.connection import Connection
from crm_assets.warehouse.session import WarehouseSession
from crm_assets_tests.conftest import only
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import Installation, all_connections, failure
from crm_assets_tests.lake import LakeHouse

EXTENSIONS = ("ducklake", "sqlite_scanner", "postgres_scanner", "httpfs")
_HEAVY = (
    "alembic.command",
    "crm_assets.definitions",
    "crm_assets.extract.fetch",
    "crm_assets.extract.page_reader",
    "crm_assets.warehouse.ducklake_destination",
    "dagster._core.instance.factory",
    "dagster._core.launcher.sync_in_memory_run_launcher",
    "dagster._core.storage.migration",
    "dagster._core.storage.sqlite_storage",
    "dagster._daemon.daemon",
    "dagster._grpc.impl",
    "dlt.destinations.impl.ducklake.ducklake",
    "dlt._workspace._plugins",
    "dlt.sources.helpers.requests",
    "pendulum.locales.en",
    "pyarrow.compute",
    "pyarrow.dataset",
    "rich.traceback",
    "structlog",
    "sqlalchemy.dialects.sqlite",
    "upath.implementations.local",
    "crm_assets_tests.reliability.settled",
)
"""Imported once, before any process is forked off."""
CHECKS = ("schema", "primary_key", "completeness", "references", "reconciliation")


@dataclass(frozen=True)
class Order:
    """What a process is to do.

    Args:
        served_at: Where the APIs are.
        folder: The data folder; folders beside each other have one lake.
        lists: What to load, as ``connection/resource``; nothing to look only.
        text: Columns of the lists that are declared as text now.
        after: The beginning of a statement, and its table's name, behind which the load is disturbed.
        overtaken_by: The data folder of the machine that loads the same list then; killed, if there is none.
    """

    served_at: str
    folder: str
    lists: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    overtaken_by: str = ""


def declared(lists: tuple[str, ...], text: tuple[str, ...] = ()) -> list[Connection]:
    """Return the connections with these lists alone; the versions of their rows are kept where that can be."""
    found = []
    for connection in _connections():
        names = [name.split("/")[1] for name in lists if name.split("/")[0] == connection.name]
        if names:
            found.append(_with_history(_with_text(only(connection, *names), text)))
    return found


def contents(house: Installation) -> dict[str, Any]:
    """Return all tables of a warehouse, and the comments on them."""
    comments = house.query("SELECT table_name AS place, comment FROM duckdb_tables() WHERE comment IS NOT NULL")
    return {
        **{name: house.snapshot(name) for name in house.connections},
        "comments": {row["place"]: row["comment"] for row in comments},
        "reads": house.query(
            "SELECT connection, resource, mode, complete, rows, rows_new, rows_changed, deleted, table_rows "
            "FROM crm_assets.crm_reads ORDER BY finished_at"
        ),
    }


def load(house: Installation) -> str:
    """Load all lists of a house; return what failed, checks included."""
    found = []
    for name in house.connections:
        for result in house.load(name):
            found.append(failure(result))
            evaluations = [one for one in result.get_asset_check_evaluations() if one.check_name in CHECKS]
            found += [str(one.description) for one in evaluations if not one.passed]
    return "\n".join(filter(None, found))


@cache
def _connections() -> tuple[Connection, ...]:
    return all_connections()


def _with_text(connection: Connection, text: tuple[str, ...]) -> Connection:
    resources = []
    for resource in connection.system.resources:
        changed = {
            name: column.model_copy(update={"type": ColumnType.TEXT}) if name in text else column
            for name, column in resource.columns.items()
        }
        resources.append(resource.model_copy(update={"columns": changed}))
    return connection.model_copy(
        update={"system": connection.system.model_copy(update={"resources": tuple(resources)})}
    )


def _with_history(connection: Connection) -> Connection:
    kept = tuple(resource.name for resource in connection.system.resources if resource.name == "by_page")
    return apply_connection(connection.model_copy(update={"history": kept})) if kept else connection


def _house(order: Order, folder: str) -> LakeHouse:
    connections = declared(order.lists, order.text)
    return LakeHouse(FaultySandbox([]), order.served_at, Path(folder), connections, destination="ducklake")


def _disturb(order: Order) -> None:
    """Let a load be killed, or be overtaken by that of another machine, behind a statement of its transaction."""
    write, begun = WarehouseSession.write, []

    def writing(session: WarehouseSession, sql: str, *values: Any) -> None:
        write(session, sql, *values)
        if begun or not sql.startswith(order.after[0]) or order.after[1] not in sql:
            return
        begun.append(sql)
        if not order.overtaken_by:
            os.kill(os.getpid(), signal.SIGKILL)
        problem = load(_house(order, order.overtaken_by))
        if problem:
            raise ValueError(f"The load that was to be overtaken was first: {problem}")

    WarehouseSession.write = writing  # type: ignore[method-assign]


def _carry_out(order: Order) -> str:
    if order.after:
        _disturb(order)
    return load(_house(order, order.folder))


def _forked(act: Callable[[], Any]) -> tuple[int, Any]:
    """Return the exit status of a process, and what it returned."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            with os.fdopen(writing, "w") as pipe:
                json.dump(act(), pipe, default=str)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)  # an orderly end would wait for threads of Arrow's for ever
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), json.loads(told or "null")


def _install() -> None:
    with duckdb.connect() as database:
        version = database.execute("SELECT version()").fetchall()[0][0]
        for name in EXTENSIONS:
            (package,) = find_spec(f"duckdb_extension_{name}").submodule_search_locations  # type: ignore[union-attr,misc]
            database.execute(f"INSTALL '{package}/extensions/{version}/{name}.duckdb_extension'")


def _connect(*args: Any, config: dict[str, Any] | None = None, **given: Any) -> duckdb.DuckDBPyConnection:
    """Connect without verifying the extensions' signatures, which takes most of a small load; pip has verified them."""
    return _verifying(*args, config={**(config or {}), "allow_unsigned_extensions": True}, **given)


_verifying = duckdb.connect


def main() -> None:
    """Carry out the orders of standard input."""
    warnings.simplefilter("ignore")
    duckdb.connect = _connect
    for module in _HEAVY:
        import_module(module)
    _connections()
    _forked(_install)
    for line in sys.stdin:
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(line).items()}
        print(json.dumps(_answer(Order(**given)), default=str), flush=True)


def _answer(order: Order) -> dict[str, Any]:
    """Carry an order out and look; in another process, if that was killed."""
    status, told = _forked(lambda: {"problem": _carry_out(order), **_look(order)})
    return {"exit": status, **(told or _forked(lambda: _look(order))[1])}


def _look(order: Order) -> dict[str, Any]:
    house = _house(order, order.folder)
    with house.attached():
        return {"held": contents(house)}


if __name__ == "__main__":
    main()
