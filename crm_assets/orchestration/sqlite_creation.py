"""The databases of a new Dagster instance, made at once.

Dagster waits for the disk three hundred times to make them, and reads all of its migrations anew for each of them: half
a second of the first sync, and several on a slow disk.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dagster._core.storage.sql import ScriptDirectory, db  # type: ignore[attr-defined]  # re-exported in all versions

_FOLDERS = ("history", "schedules")
_scripts: dict[str, Any] = {}
"""Migrations that were read, by where they are."""


def make_databases(base_dir: str, make: Callable[[str], Any]) -> None:
    """Make the databases of an instance that has none.

    They are made in a folder beside and moved: where the machine crashes meanwhile, none is there that is broken.

    Args:
        base_dir: The instance's folder.
        make: Makes them in the folder it is given, and closes them.
    """
    base = Path(base_dir).resolve()
    if any((base / name).exists() for name in _FOLDERS):
        return
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="new-", dir=base) as folder:
        with _unsynchronized(folder):
            make(folder)
        for path in Path(folder).rglob("*.db"):
            _flush(path)
        for name in _FOLDERS:
            with suppress(OSError):  # another process was faster
                Path(folder, name).rename(base / name)


@contextmanager
def migrations_read_once() -> Iterator[None]:
    """Let Dagster's migrations be read once by this process, which takes 40 ms, and not for each database."""
    read = ScriptDirectory.from_config

    def from_config(config: Any) -> Any:
        place = str(config.get_main_option("script_location"))
        if place not in _scripts:
            _scripts[place] = read(config)
        return _scripts[place]

    ScriptDirectory.from_config = staticmethod(from_config)  # type: ignore[method-assign]
    try:
        yield
    finally:
        ScriptDirectory.from_config = read  # type: ignore[method-assign]


@contextmanager
def _unsynchronized(folder: str) -> Iterator[None]:
    """Let SQLite not wait for the disk where it writes to this folder."""

    def connected(connection: Any, _record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            ((_, _, path),) = connection.execute("PRAGMA database_list").fetchall()
            if path.startswith(folder):
                connection.execute("PRAGMA synchronous = OFF")

    db.event.listen(db.engine.Engine, "connect", connected)
    try:
        yield
    finally:
        db.event.remove(db.engine.Engine, "connect", connected)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
