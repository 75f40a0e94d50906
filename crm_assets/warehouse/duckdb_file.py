"""The DuckDB file: opened by one process at a time, others on this machine wait."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_assets.extract.decode.duckdb_types import literal, quoted
from crm_assets.warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LogFn = Callable[[str], None]
"""Takes a line for the log."""
_SMALLEST_FILE = 3 * 4096
"""Bytes of a DuckDB file with nothing in it: its headers."""
_DUCKDB: dict[str, Any] = {
    "memory_limit": "320MB",
    "preserve_insertion_order": "false",
    "storage_compatibility_version": "v1.0.0",
}
"""Loads spill to disk instead of growing with their rows. A new file can be opened by every DuckDB since 1.0, whatever
version made it; one that is there keeps the format it has."""


_IN_THIS_PROCESS = "already attached"
"""What DuckDB says of a file that another of its engines has open in the same process."""


@dataclass(frozen=True)
class DuckDbFile:
    """A DuckDB file that other programs may hold open.

    Args:
        path: The file; made when it is opened.
        patience: Seconds to wait for another program before giving up.
    """

    path: Path
    patience: float

    @property
    def name(self) -> str:
        """Name of the database in the engine."""
        return self.path.stem

    @contextmanager
    def open(self, say: LogFn) -> Iterator[DuckDBPyConnection]:
        """Give an engine that has the file attached, and uses it, as soon as no other program has the file open.

        Args:
            say: Told, once, which program that is.

        Raises:
            WarehouseError: It was open elsewhere for longer than ``patience``, or is not a database.
        """
        from crm_assets.extract.decode.duckdb_engine import duckdb_engine

        with duckdb_engine("warehouse", **_DUCKDB, temp_directory=f"{self.path}.tmp") as engine:
            self._attach(engine, say)
            yield engine

    def _attach(self, engine: DuckDBPyConnection, say: LogFn) -> None:
        deadline, announced = time.monotonic() + self.patience, False
        while error := self._try(engine):
            holder = _holder(str(error))
            if holder is None or time.monotonic() > deadline:
                raise WarehouseError(self._unopened(error, holder)) from error
            if not announced:
                say(f"{self.path} is open in another program ({holder}); waiting until it is closed.")
            announced = True
            time.sleep(0.2)

    def _try(self, engine: DuckDBPyConnection) -> Exception | None:
        """Attach the file; return what is in the way."""
        import duckdb

        self._remove_torn()
        try:
            engine.execute(f"ATTACH {literal(str(self.path))} AS {quoted(self.name)}; USE {quoted(self.name)}")
        except duckdb.Error as error:
            if not (isinstance(error, duckdb.IOException) or _IN_THIS_PROCESS in str(error)):
                raise
            self._remove_torn()
            return error
        return None

    def _remove_torn(self) -> None:
        """Remove a file whose creation broke off: it is not a database and never becomes one."""
        if self.path.exists() and self.path.stat().st_size < _SMALLEST_FILE:
            begun = self.path.read_bytes()
            if not begun.strip(b"\0") or begun[8:12] == b"DUCK":
                self.path.unlink()

    def _unopened(self, error: Exception, holder: str | None) -> str:
        if holder is None:
            return f"{self.path} cannot be opened: {str(error).splitlines()[0]}"
        return (
            f"{self.path} is open in another program ({holder}), and was not closed within {self.patience:g} "
            f"seconds. Close it there (a notebook, a database tool) and run again; nothing was changed."
        )


def _holder(message: str) -> str | None:
    if _IN_THIS_PROCESS in message:
        return "this process"
    if "lock" not in message.lower():
        return None
    match = re.search(r"Conflicting lock is held in (.+?) \(PID (\d+)\)", message)
    return f"{Path(match[1]).name}, process {match[2]}" if match else "another process"
