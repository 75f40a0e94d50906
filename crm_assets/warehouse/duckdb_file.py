"""The DuckDB file: opened by one process at a time, others on this machine wait."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crm_assets.warehouse.errors import WarehouseError

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


@dataclass(frozen=True)
class DuckDbFile:
    """A DuckDB file that other programs may hold open.

    Args:
        path: The file; made when it is opened.
        patience: Seconds to wait for another program before giving up.
    """

    path: Path
    patience: float

    def open(self, say: LogFn) -> Any:
        """Return a connection, as soon as no other program has the file open.

        Args:
            say: Told, once, which program that is.

        Raises:
            WarehouseError: It was open elsewhere for longer than ``patience``, or is not a database.
        """
        import duckdb

        deadline, announced = time.monotonic() + self.patience, False
        while True:
            opened = self._try()
            if not isinstance(opened, duckdb.IOException):
                return opened
            holder = _holder(str(opened))
            if holder is None or time.monotonic() > deadline:
                raise WarehouseError(self._unopened(opened, holder)) from opened
            if not announced:
                say(f"{self.path} is open in another program ({holder}); waiting until it is closed.")
            announced = True
            time.sleep(0.2)

    def _try(self) -> Any:
        import duckdb

        self._remove_torn()
        try:
            return duckdb.connect(str(self.path), config=_DUCKDB)
        except duckdb.IOException as error:
            self._remove_torn()
            return error

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
    if "lock" not in message.lower():
        return None
    match = re.search(r"Conflicting lock is held in (.+?) \(PID (\d+)\)", message)
    return f"{Path(match[1]).name}, process {match[2]}" if match else "another process"
