"""An installation to test: a served sandbox, a data folder, Dagster with an instance of its own."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeAlias

import dagster as dg
import duckdb
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata

from crm_assets.declarations.connections import load_connections
from crm_assets.declarations.models.columns import ColumnType
from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.paginator import Auto, SinglePage
from crm_assets.declarations.models.resource import Resource
from crm_assets.orchestration.assets import connection_assets
from crm_assets.orchestration.dlt_integration import StagedDltResource
from crm_assets.orchestration.resources import CrmSecrets
from crm_assets.orchestration.sqlite_storage import BatchingEventLogStorage
from crm_assets.warehouse.dlt_schema import ROW_TIMES
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.found_once import find_once

find_once()
HERE = Path(__file__).parent
START, TODAY = date(2024, 3, 1), date(2024, 3, 30)
"""First and last day with data: thirty windows."""
SMALL = 4
"""Rows of a page where a client may choose: small enough that every list has several."""
Row = dict[str, Any]
Result: TypeAlias = dg.ExecuteInProcessResult
_TURN = threading.Lock()
_ABANDONED: list[dg.DagsterInstance] = []
"""Instances whose house is gone: SQLite lets nobody close them but the thread that opened them."""


def close_abandoned() -> None:
    """Close the Dagster instances of houses that are gone; from Python 3.13 on an open one is a warning."""
    while _ABANDONED:
        _ABANDONED.pop().dispose()


@cache
def all_connections() -> tuple[Connection, ...]:
    """Return one account at every declared system, its pages small and its retries quick."""
    return tuple(_quick(connection) for connection in load_connections(HERE / "connections.yaml"))


def _quick(connection: Connection) -> Connection:
    resources = tuple(_with_small_pages(resource) for resource in connection.system.resources)
    return connection.model_copy(update={"system": connection.system.model_copy(update={"resources": resources})})


def _with_small_pages(resource: Resource) -> Resource:
    endpoint = resource.endpoint
    handler = endpoint.error_handler.model_copy(update={"backoff_factor": None, "backoff_constant": 0.01})
    paginator = endpoint.paginator
    if not isinstance(paginator, SinglePage | Auto) and paginator.limit:
        paginator = paginator.model_copy(update={"limit": SMALL})
    return resource.model_copy(
        update={"endpoint": endpoint.model_copy(update={"paginator": paginator, "error_handler": handler})}
    )


def dates(first: date = START, last: date = TODAY) -> list[date]:
    """Return all days from the first to the last."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


class _OneConnection(InMemoryEventLogStorage):
    """Dagster's storage of events in memory, which opens a connection for every statement, with the one it holds."""

    _thread = 0
    _store_asset_check_evaluation_planned: Any = BatchingEventLogStorage._store_asset_check_evaluation_planned

    def has_table(self, table_name: str) -> bool:
        """Say what is so for every table of a new storage; Dagster asks with each event of a check."""
        return table_name in SqlEventLogStorageMetadata.tables

    @classmethod
    def of(cls, instance: dg.DagsterInstance) -> dg.DagsterInstance:
        events: Any = instance.event_log_storage
        events.__class__ = cls
        events._thread = threading.get_ident()
        return instance

    @contextmanager
    def _connect(self) -> Iterator[Any]:
        if threading.get_ident() != self._thread:  # SQLite lets no other thread use it
            with super()._connect() as connection:
                yield connection
        else:
            with self._db_lock, self._held_conn.begin():
                yield self._held_conn


@dataclass
class Installation:
    """One installation.

    Args:
        sandbox: The APIs; its state and faults may be changed between runs.
        served_at: Their address.
        folder: The data folder.
        chosen: Connections as tests want them.
        destination: The warehouse's.
        patience: The warehouse's.
        base_url: Another address for all connections than the sandbox's.
    """

    sandbox: FaultySandbox
    served_at: str
    folder: Path
    chosen: Iterable[Connection] = ()
    destination: str = "duckdb"
    patience: float = 20
    base_url: str | None = None

    def __post_init__(self) -> None:
        self.folder.parent.mkdir(exist_ok=True, parents=True)
        self.instance = _OneConnection.of(dg.DagsterInstance.ephemeral(tempdir=mkdtemp(dir=self.folder.parent)))
        weakref.finalize(self, _ABANDONED.append, self.instance)
        self.connections = {one.name: one.at(self.base_url or f"{self.served_at}/{one.name}") for one in self.chosen}
        self.warehouse = Warehouse(self.folder, self.destination, self.patience)
        self.assets = [asset for one in self.connections.values() for asset in connection_assets(one, self.warehouse)]

    def resources(self, connection: str) -> dict[str, Resource]:
        """Return a connection's resources by name."""
        return {resource.name: resource for resource in self.connections[connection].system.resources}

    def materialize(self, *names: str, checks: bool = True, **given: Any) -> Result:
        """Materialize assets, given as ``connection/resource``, in one run.

        Args:
            names: What to materialize.
            checks: Run their checks, too.
            given: ``day`` or ``dates`` (partition keys), ``tags``.
        """
        assets = dg.AssetSelection.assets(*(dg.AssetKey(name.split("/")) for name in names))
        return self.execute(assets if checks else assets.without_checks(), **given)

    def load(
        self,
        connection: str,
        dates: tuple[str, str] = (START.isoformat(), TODAY.isoformat()),
        resources: Collection[str] | None = None,
    ) -> list[Result]:
        """Materialize a connection, all of it or some resources, windows as one range; one run per step."""
        results = []
        for asset in self.assets:
            keys = [key for key in asset.keys if resources is None or key.path[-1] in resources]
            if keys and asset.node_def.name.startswith(connection):
                selection = dg.AssetSelection.assets(*keys)
                results.append(self.execute(selection, dates=dates if asset.partitions_def else None))
        return results

    def check(self, asset: str, *names: str) -> dict[str, dg.AssetCheckEvaluation]:
        """Run checks of an asset and nothing else; return their evaluations by name."""
        keys = [dg.AssetCheckKey(dg.AssetKey(asset.split("/")), name) for name in names]
        result = self.execute(dg.AssetSelection.checks(*keys))
        assert not result.get_asset_materialization_events()
        found = {one.check_name: one for one in result.get_asset_check_evaluations()}
        assert found.keys() == set(names), failure(result)
        return found

    def execute(
        self,
        selection: dg.AssetSelection,
        day: str | None = None,
        dates: tuple[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Result:
        """Run a selection as one run."""
        tags = dict(tags or {})
        if dates:
            tags |= {"dagster/asset_partition_range_start": dates[0], "dagster/asset_partition_range_end": dates[1]}
        return dg.materialize(
            self.assets,
            selection=selection,
            partition_key=day,
            tags=tags,
            instance=self.instance,
            resources={"crm_secrets": CrmSecrets(), "crm_loader": StagedDltResource()},
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def query(self, sql: str) -> list[Row]:
        """Return the rows of a query over the warehouse."""
        with _opened(self.warehouse.database) as database:
            rows: list[Row] = database.sql(sql).to_arrow_table().to_pylist()
        return rows

    def change(self, sql: str) -> None:
        """Change the warehouse by hand."""
        with duckdb.connect(str(self.warehouse.database)) as database:
            database.execute(sql)

    def clear(self) -> None:
        """Remove from the warehouse what would meet the next test there; a file goes with the test's folder."""

    def table(self, connection: str, resource: str, where: str = "true") -> list[Row]:
        """Return a table's declared columns, sorted by key, JSON decoded."""
        declared = self.resources(connection)[resource]
        names = ", ".join(f'"{name}"' for name in declared.columns)
        return tidy(declared, self.query(f'SELECT {names} FROM "{connection}"."{resource}" WHERE {where}'))

    def truth(self, connection: str, resource: str, first: date = START, last: date = TODAY) -> list[Row]:
        """Return the rows the table must hold after its days were read, in the same form as ``table``."""
        declared = self.resources(connection)[resource]
        window = declared.window
        if window is None:
            return tidy(declared, self.sandbox.rows(connection, resource))
        ranges = [(day, day) for day in dates(first, last)] if window.per_partition else [(first, last)]
        rows = [row for window_days in ranges for row in self.sandbox.rows(connection, resource, window=window_days)]
        if window.include_undated:
            rows += [row for row in self.sandbox.rows(connection, resource) if row[window.field] is None]
        return tidy(declared, rows)

    def snapshot(self, connection: str) -> dict[str, list[str]]:
        """Return all tables of a connection, row by row as text, without what names or dates the read."""
        tables = self.query(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{connection}' "
            f"AND table_type = 'BASE TABLE' AND NOT starts_with(table_name, '_')"
        )
        return {
            name: sorted(map(_comparable, self.query(f'SELECT * FROM "{connection}"."{name}"')))
            for name in sorted(row["table_name"] for row in tables)
        }


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


@contextmanager
def _opened(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file in an engine that is there: making one of its own takes ten times as long as most queries."""
    engine = _engine()
    with _TURN:
        try:
            engine.execute(f"ATTACH '{file}' AS warehouse; USE warehouse")
        except duckdb.Error:  # somebody in this process has it open, and shares it
            with duckdb.connect(str(file)) as database:
                yield database
            return
        try:
            yield engine
        finally:
            engine.execute("USE memory; DETACH warehouse")


def _comparable(row: Row) -> str:
    facts = {name: value for name, value in row.items() if name != "_read_id" and not name.startswith("_dlt")}
    times = {name: row.get(name) is not None for name in (*ROW_TIMES, "_valid_from", "_valid_to")}
    return json.dumps({**facts, **times}, default=str, sort_keys=True)


def failure(result: Result) -> str:
    """Return what failed a run, in the failure's own words; empty for a run that succeeded."""
    found = [event.step_failure_data for event in result.get_step_failure_events()]
    return "\n".join(
        str(data.user_failure_data.description) if data.user_failure_data else str(data.error) for data in found
    )


def tidy(resource: Resource, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return rows sorted by key, JSON values decoded, ready to be compared."""
    found = [{name: _plain(column.type, row[name]) for name, column in resource.columns.items()} for row in rows]
    return sorted(found, key=lambda row: [str(row[name]) for name in resource.primary_key])


def _plain(kind: ColumnType, value: Any) -> Any:
    if kind is ColumnType.JSON and isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
