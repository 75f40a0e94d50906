"""The warehouse: one dlt pipeline run per load, one writer at a time, SQL for what follows a load."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from filelock import FileLock, Timeout

from crm_assets.rest.types import literal, quoted

if TYPE_CHECKING:
    from dlt import Pipeline
    from dlt.common.destination import TDestinationReferenceArg
    from dlt.common.destination.capabilities import DataTypeMapper
    from dlt.destinations.sql_client import SqlClientBase

DATABASE = "warehouse.duckdb"
_SMALLEST = 3 * 4096
"""Bytes of a DuckDB file with nothing in it: its headers."""
_DUCKDB: dict[str, Any] = {"memory_limit": "320MB", "preserve_insertion_order": "false"}
"""Loads spill to disk instead of growing with their rows."""
Say = Callable[[str], None]


class WarehouseError(Exception):
    """The warehouse cannot be opened or written; what it held is as it was."""


@dataclass(frozen=True)
class Warehouse:
    """Where the tables are.

    Args:
        folder: The data folder: the DuckDB file, locks, budgets and the runs' working folders.
        destination: Name of a dlt destination; its credentials come from dlt's configuration.
        patience: Seconds to wait for another writer or reader before giving up.
    """

    folder: Path = field(default_factory=lambda: Path(os.environ.get("CRM_ASSETS_DATA") or "data"))
    destination: str = field(default_factory=lambda: os.environ.get("CRM_ASSETS_DESTINATION") or "duckdb")
    patience: float = field(default_factory=lambda: float(os.environ.get("CRM_ASSETS_PATIENCE") or 120))

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.folder / DATABASE

    @property
    def runs(self) -> Path:
        """Where runs have their working folders and locks."""
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
            self.sweep()
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            lock.release()
            path.with_suffix(".lock").unlink(missing_ok=True)

    def _make_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def sweep(self) -> None:
        """Remove the folders and locks of killed runs: those whose lock is free."""
        entries = self.runs.iterdir() if self.runs.is_dir() else ()
        for path in {entry if entry.suffix else entry.with_suffix(".lock") for entry in entries}:
            with suppress(Timeout, OSError), FileLock(path).acquire(timeout=0):
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                path.unlink(missing_ok=True)

    @contextmanager
    def session(self, dataset: str, folder: Path, say: Say) -> Iterator[Session]:
        """Open the warehouse for one connection's schema, waiting for other writers and readers.

        Args:
            dataset: The schema: the connection's name.
            folder: The run's working folder.
            say: Told, once, that and for whom the run waits.

        Raises:
            WarehouseError: Another program held it for longer than ``patience``, or it cannot be read or written.
        """
        with _failing_in_words(), self._turn(dataset, say), self._destination(say) as destination:
            import dlt

            pipeline = dlt.pipeline(
                dataset, pipelines_dir=str(folder / "dlt"), destination=destination, dataset_name=dataset
            )
            pipeline.config.restore_from_destination = False
            with pipeline.sql_client() as client:
                if self.destination == "postgres":
                    self._wait(lambda: _take_advisory_lock(client, dataset), f"schema {dataset}", say)
                yield Session(self, pipeline, client, dataset)

    @contextmanager
    def _turn(self, dataset: str, say: Say) -> Iterator[None]:
        """Hold the lock our writers and checks on this machine share; the system frees it when a process dies.

        There is one per DuckDB file. Elsewhere there is one per schema, because loads share its staging schema.
        """
        self._make_folder()
        duckdb = self.destination == "duckdb"
        lock = FileLock(self.folder / ("warehouse.lock" if duckdb else f"{dataset}.lock"))
        self._wait(lambda: _take(lock), "warehouse" if duckdb else f"schema {dataset}", say)
        try:
            yield
        finally:
            lock.release()

    def _wait(self, take: Callable[[], bool], what: str, say: Say) -> None:
        """Take a lock that other runs hold for the time of a load.

        Raises:
            WarehouseError: They held it for too long.
        """
        deadline, told = time.monotonic() + self.patience * 5, False
        while not take():
            if time.monotonic() > deadline:
                raise WarehouseError(f"Another run has been writing to the {what} for too long; nothing was changed.")
            if not told:
                say(f"Another run is writing to the {what}; waiting for it.")
            told = True
            time.sleep(0.1)

    @contextmanager
    def _destination(self, say: Say) -> Iterator[TDestinationReferenceArg]:
        import dlt

        if self.destination == "postgres":
            from crm_assets.postgres import Postgres

            yield Postgres()
            return
        if self.destination != "duckdb":
            yield dlt.destination(self.destination)
            return
        connection = self._open_duckdb(say)
        try:
            yield dlt.destinations.duckdb(credentials=connection)
        finally:
            connection.close()

    def _open_duckdb(self, say: Say) -> Any:
        import duckdb

        deadline, told = time.monotonic() + self.patience, False
        while True:
            opened = self._try_duckdb()
            if not isinstance(opened, duckdb.IOException):
                return opened
            holder = _holder(str(opened))
            if holder is None or time.monotonic() > deadline:
                raise WarehouseError(self._unopened(opened, holder)) from opened
            if not told:
                say(f"{self.database} is open in another program ({holder}); waiting until it is closed.")
            told = True
            time.sleep(0.2)

    def _try_duckdb(self) -> Any:
        import duckdb

        self._remove_torn()
        try:
            return duckdb.connect(str(self.database), config=_DUCKDB)
        except duckdb.IOException as error:
            self._remove_torn()
            return error

    def _remove_torn(self) -> None:
        """Remove a file whose making broke off: it is no database yet, and never becomes one."""
        if self.database.exists() and self.database.stat().st_size < _SMALLEST:
            begun = self.database.read_bytes()
            if not begun.strip(b"\0") or begun[8:12] == b"DUCK":
                self.database.unlink()

    def _unopened(self, error: Exception, holder: str | None) -> str:
        if holder is None:
            return f"{self.database} cannot be opened: {str(error).splitlines()[0]}"
        return (
            f"{self.database} is open in another program ({holder}), and was not closed within {self.patience:g} "
            f"seconds. Close it there (a notebook, a database tool) and run again; nothing was changed."
        )


@dataclass
class Session:
    """An open warehouse, one schema of it, with nobody else writing."""

    warehouse: Warehouse
    pipeline: Pipeline
    client: SqlClientBase[Any]
    dataset: str
    _catalog: dict[str, dict[str, tuple[str, bool]]] | None = None
    """What ``columns`` found, until something is written."""

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a query; ``%s`` stands for a parameter."""
        with self.client.execute_query(sql, *parameters) as cursor:
            return [tuple(row) for row in cursor.fetchall()]

    def execute(self, statements: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        """Run statements in one transaction."""
        self._catalog = None
        with self.client.begin_transaction():
            for sql, parameters in statements:
                self.client.execute_sql(sql, *parameters)

    def table(self, name: str) -> str:
        """Return the quoted, schema-qualified name of a table."""
        return f"{quoted(self.dataset)}.{quoted(name)}"

    def columns(self, table: str) -> dict[str, tuple[str, bool]]:
        """Return type and nullability of a table's columns as the warehouse's own catalogue tells; empty if missing."""
        if self._catalog is None:
            self._catalog = {}
            for name, column, kind, nullable in self.query(
                "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
                f"WHERE table_schema = {literal(self.dataset)} ORDER BY table_name, ordinal_position"
            ):
                self._catalog.setdefault(name, {})[column] = str(kind), nullable == "YES"
        return self._catalog.get(table, {})

    def type_of(self, kind: str) -> str | None:
        """Return the dlt type that a type of the warehouse's catalogue stands for."""
        return self._type_mapper.from_destination_type(kind, None, None).get("data_type")

    @cached_property
    def _type_mapper(self) -> DataTypeMapper:
        return self.pipeline.destination.capabilities().get_type_mapper()

    @property
    def takes_parquet(self) -> bool:
        """Whether spools can be handed over as files."""
        formats = self.pipeline.destination.capabilities().supported_loader_file_formats or []
        return "parquet" in formats and self.warehouse.destination != "postgres"

    def drop_staging(self) -> None:
        """Remove dlt's staging schema: the next load makes it anew, and nobody has to wonder what it is."""
        self.execute([(f"DROP SCHEMA IF EXISTS {quoted(self.dataset + '_staging')} CASCADE", ())])

    def abandon_staging(self) -> None:
        """Remove dlt's staging schema after a failed load, if the warehouse is fit for it; else the next load does."""
        from dlt.common.exceptions import DltException

        with suppress(DltException):
            self.drop_staging()


def _take(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _take_advisory_lock(client: SqlClientBase[Any], dataset: str) -> bool:
    """Take PostgreSQL's lock for writers on all machines; the server frees it when the client's connection ends."""
    with client.execute_query("SELECT pg_try_advisory_lock(hashtext(%s))", f"crm_assets.{dataset}") as cursor:
        row = cursor.fetchone()
    return bool(row and row[0])


def _holder(message: str) -> str | None:
    if "lock" not in message.lower():
        return None
    found = re.search(r"Conflicting lock is held in (.+?) \(PID (\d+)\)", message)
    return f"{Path(found[1]).name}, process {found[2]}" if found else "another process"


@contextmanager
def _failing_in_words() -> Iterator[None]:
    """Turn what breaks underneath, however deep the libraries have wrapped it, into one sentence."""
    import duckdb
    from dlt.common.exceptions import DltException

    try:
        yield
    except (DltException, duckdb.Error, OSError) as error:
        root = _root(error)
        strerror = root.strerror if isinstance(root, OSError) else None
        said = strerror or (str(root).strip().splitlines() or [type(root).__name__])[0]
        raise WarehouseError(
            f"The warehouse could not be written: {said[:300].rstrip('.')}. "
            f"Every table holds its last whole read; mend that and run again."
        ) from error


def _root(error: BaseException) -> BaseException:
    """Return what began it; where the disk is full, that."""
    chain = [error]
    while following := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(following)
    full = [one for one in chain if isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT)]
    causes = [one for one in chain[:-1] if one.__cause__ is None]
    return full[0] if full else causes[0] if causes else chain[-1]
