"""Dagster's SQLite storage, with files kept open and what belongs together written together.

A run over three years of days ends with a thousand materializations per asset, and Dagster's own storage takes a new
connection and a commit to disk for each of five statements per event. When the only connection to a file closes, SQLite
also moves its whole log into the file: a fifth of a short sync. What is stored is the same here. ``dagster.yaml`` names
the storage, as it would any other:

    storage:
      custom:
        module: crm_assets.orchestration.sqlite_storage
        class: BatchingSqliteStorage
        config: {base_dir: data/dagster}
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import dagster as dg
from dagster import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from crm_assets.orchestration.dagster_compat import ASSET_CHECK_EVENTS, ConfigurableClassData
from crm_assets.orchestration.sqlite_creation import make_databases, migrations_read_once

_BATCH_SIZE = "1000"
"""Events that wait for being written, more than which are written in between."""
_PATIENCE = 60.0
"""Seconds to wait for other runs that write; on a busy machine a batch of each takes a second or two."""


class _LoggedConnection(sqlite3.Connection):
    """Commits into SQLite's log without waiting for the disk: a machine that crashes may forget the last commits.

    Waiting takes four milliseconds on a small cloud machine, and a run has dozens of commits.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA synchronous = NORMAL")


class BatchingEventLogStorage(SqliteEventLogStorage):
    """Writes a batch of events in one transaction for each database, and keeps the index and the latest run open."""

    def __init__(self, base_dir: str) -> None:
        self._open: dict[str, Any] = {}
        self._under_way = threading.local()
        self._tables: set[str] = set()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Any]:
        under_way = getattr(self._under_way, "connections", {})
        if shard in under_way:
            yield under_way[shard]
            return
        self._make_tables(shard)
        with self._db_lock, self._opened(shard).begin() as connection:
            yield connection

    @contextmanager
    def _together(self, run_id: str) -> Iterator[None]:
        """Let all that this thread stores in the index and the database of a run be one transaction in each."""
        for shard in (INDEX_SHARD_NAME, run_id):
            self._make_tables(shard)
        with (
            self._db_lock,
            self._opened(INDEX_SHARD_NAME).begin() as index,
            self._opened(run_id).begin() as run,
        ):
            self._under_way.connections = {INDEX_SHARD_NAME: index, run_id: run}
            try:
                yield
            finally:
                self._under_way.connections = {}

    def _make_tables(self, shard: str) -> None:
        if shard not in self._initialized_dbs:
            with self._db_lock, migrations_read_once():
                self._initdb(self._opened(shard))
                self._initialized_dbs.add(shard)

    def has_table(self, table_name: str) -> bool:
        """Return whether the index has a table; Dagster asks so with every event of a check."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _opened(self, shard: str) -> Any:
        if shard not in self._open:
            self._close(*self._open.keys() - {INDEX_SHARD_NAME, shard} if shard != INDEX_SHARD_NAME else ())
            settings = {"timeout": _PATIENCE, "factory": _LoggedConnection}
            self._open[shard] = create_engine(self.conn_string_for_shard(shard), connect_args=settings)
        return self._open[shard]

    def _close(self, *shards: str) -> None:
        for shard in shards:
            self._open.pop(shard).dispose()

    def wipe(self) -> None:
        """Delete all events."""
        self._close(*self._open)
        super().wipe()

    def dispose(self) -> None:
        """Close the files."""
        self._close(*self._open)
        super().dispose()

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event."""
        with self._together(event.run_id):
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store the events of one run, as ``store_event`` would one after the other."""
        with self._together(events[0].run_id):
            checks = [event for event in events if event.dagster_event_type in ASSET_CHECK_EVENTS]
            for event in checks:
                super().store_event(event)
            self._store_mirrored([event for event in events if event.dagster_event_type not in ASSET_CHECK_EVENTS])

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """Store that a check is planned; Dagster writes out the event anew for each of its partitions."""
        planned: Any = event.get_dagster_event().event_specific_data
        partitions = planned.partitions_subset.get_partition_keys() if planned.partitions_subset else [None]
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": dg.serialize_value(event),
            "evaluation_event_timestamp": datetime.fromtimestamp(event.timestamp, timezone.utc).replace(tzinfo=None),
            "evaluation_event_storage_id": event_id,
        }
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.insert(), [{**row, "partition": key} for key in partitions])

    def _store_mirrored(self, mirrored: Sequence[EventLogEntry]) -> None:
        if not mirrored:
            return
        statements = [self.prepare_insert_event(event) for event in mirrored]
        with self.run_connection(mirrored[0].run_id) as connection:
            for statement in statements:
                connection.execute(statement)
        with self.index_connection() as connection:
            keys = [connection.execute(statement).inserted_primary_key for statement in statements]
        ids = [key[0] for key in keys if key]
        # The row of an asset holds its latest event of a kind alone.
        latest = {
            (event.get_dagster_event().asset_key, event.dagster_event_type): number
            for number, event in enumerate(mirrored)
        }
        for number in latest.values():
            self.store_asset_event(mirrored[number], ids[number])
        self.store_asset_event_tags(mirrored, ids)


class BatchingSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage with events in batches."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        with migrations_read_once():
            make_databases(base_dir, lambda folder: DagsterSqliteStorage.from_local(folder).dispose())
            super().__init__(base_dir, inst_data)
            self._event_log_storage = BatchingEventLogStorage(self._event_log_storage._base_dir)
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", _BATCH_SIZE)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> BatchingSqliteStorage:
        """Return the storage that ``dagster.yaml`` describes."""
        return cls.from_local(inst_data=inst_data, **config_value)
