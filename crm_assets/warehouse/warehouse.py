"""The warehouse: one dlt pipeline run per load, one writer at a time, SQL for what follows a load."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from filelock import FileLock, Timeout

from crm_assets.warehouse.connecting import connected, destination_named
from crm_assets.warehouse.duckdb_file import DuckDbFile, LogFn
from crm_assets.warehouse.errors import WarehouseError, translate_errors
from crm_assets.warehouse.session import WarehouseSession

if TYPE_CHECKING:
    from dlt import Pipeline

DATABASE = "warehouse.duckdb"


@dataclass(frozen=True)
class Warehouse:
    """The database with the tables.

    Args:
        folder: The data folder: the DuckDB file, locks, budgets and the runs' working folders.
        destination: Name of a dlt destination; its credentials come from dlt's configuration.
        patience: Seconds to wait for another writer or reader before giving up.
        resume_hours: How long what an interrupted run has read is of use to the next one.
    """

    folder: Path
    destination: str = "duckdb"
    patience: float = 120.0
    resume_hours: float = 24.0

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.folder / DATABASE

    @property
    def place(self) -> str:
        """Where the tables are, in a sentence."""
        return str(self.database) if self.destination == "duckdb" else f"the destination {self.destination}"

    @property
    def runs(self) -> Path:
        """Folder of the runs' working folders and locks."""
        return self.folder / "runs"

    @property
    def exists(self) -> bool:
        """Whether there can be anything in it."""
        return self.destination != "duckdb" or self.database.exists()

    @property
    def catalog(self) -> str:
        """Database part of a fully qualified table name."""
        return self.database.stem if self.destination == "duckdb" else self.destination

    @contextmanager
    def working_folder(self) -> Iterator[Path]:
        """Give a folder of its own, readable by the owner only, that is gone afterwards.

        Folders that a killed run left behind are removed as well.

        Raises:
            WarehouseError: The data folder cannot be written.
        """
        runs = self.runs
        path = runs / uuid4().hex
        lock = FileLock(path.with_suffix(".lock"))
        try:
            self._make_folder()
            runs.mkdir(exist_ok=True, mode=0o700)
            lock.acquire()
            path.mkdir(mode=0o700)
        except OSError as error:
            raise WarehouseError(f"The data folder {self.folder} cannot be written: {error.strerror}.") from error
        try:
            self.remove_stale_folders()
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            lock.release()
            path.with_suffix(".lock").unlink(missing_ok=True)

    def _make_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def remove_stale_folders(self) -> None:
        """Remove the folders and locks of killed runs: those whose lock is free."""
        entries = (
            [entry for entry in self.runs.iterdir() if entry.suffix in ("", ".lock")] if self.runs.is_dir() else []
        )
        for path in {entry.with_suffix(".lock") for entry in entries}:
            with suppress(Timeout, OSError), FileLock(path).acquire(timeout=0):
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                path.unlink(missing_ok=True)

    @contextmanager
    def session(self, dataset: str, folder: Path, say: LogFn) -> Iterator[WarehouseSession]:
        """Open the warehouse for one connection's schema, waiting for other writers and readers.

        Args:
            dataset: The schema: the connection's name.
            folder: The run's working folder.
            say: Told, once, that and for whom the run waits.

        Raises:
            WarehouseError: Another program held it for longer than ``patience``, or it cannot be read or written.
        """
        with translate_errors(), self._turn(dataset, say), self._destination(say) as destination:
            import dlt

            def open_pipeline(schema: str) -> Pipeline:
                working = str(folder / "dlt" / uuid4().hex)
                pipeline = dlt.pipeline(dataset, pipelines_dir=working, destination=destination, dataset_name=schema)
                pipeline.config.restore_from_destination = False
                return pipeline

            with connected(destination, self.destination, dataset) as client:
                if self.destination == "postgres":
                    self._wait(lambda: destination.begin_load(client, dataset), f"schema {dataset}", say)
                yield WarehouseSession(self.catalog, self.destination, open_pipeline, client, dataset)

    @contextmanager
    def _turn(self, dataset: str, say: LogFn) -> Iterator[None]:
        """Hold the lock our writers and checks on this machine share; the system frees it when a process dies.

        There is one per DuckDB file and per lake; elsewhere there is one per schema.
        """
        self._make_folder()
        shared = self.destination in ("duckdb", "ducklake")
        lock = FileLock(self.folder / ("warehouse.lock" if shared else f"{dataset}.lock"))
        self._wait(lambda: _take(lock), "warehouse" if shared else f"schema {dataset}", say)
        try:
            yield
        finally:
            lock.release()

    def _wait(self, take: Callable[[], bool], what: str, say: LogFn) -> None:
        """Take a lock that other runs hold for the time of a load.

        Raises:
            WarehouseError: They held it for too long.
        """
        deadline, announced = time.monotonic() + self.patience * 5, False
        while not take():
            if time.monotonic() > deadline:
                raise WarehouseError(f"Another run has been writing to the {what} for too long; nothing was changed.")
            if not announced:
                say(f"Another run is writing to the {what}; waiting for it.")
            announced = True
            time.sleep(0.1)

    @contextmanager
    def _destination(self, say: LogFn) -> Iterator[Any]:
        if self.destination == "postgres":
            from crm_assets.warehouse.postgres import Postgres

            yield Postgres()
            return
        if self.destination == "ducklake":
            from crm_assets.warehouse.ducklake_destination import open_ducklake

            yield open_ducklake()
            return
        if self.destination != "duckdb":
            yield destination_named(self.destination)
            return
        from crm_assets.warehouse.duckdb_destination import DuckDb

        file = DuckDbFile(self.database, self.patience)
        with file.open(say) as engine:
            yield DuckDb(engine, file.name)


def _take(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
