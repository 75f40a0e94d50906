"""DuckDB engines without a database of their own, which a process keeps for their next use.

To start one takes 20 ms, and its first look at a catalogue as long again; a small load, which needs three, would spend
a fifth of its time on that.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import duckdb

from crm_assets.extract.decode.duckdb_types import quoted

_idle: dict[str, tuple[dict[str, Any], duckdb.DuckDBPyConnection]] = {}
"""By use: the settings and the engine that waits for the next one."""


@contextmanager
def duckdb_engine(use: str, **settings: Any) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give an engine to nobody else meanwhile; what was attached to it is detached in the end.

    Args:
        use: What it is for. One engine of each use is kept.
        settings: DuckDB's configuration.
    """
    before, engine = _idle.pop(use, (None, None))
    if engine is None or before != settings:
        engine = duckdb.connect(config=settings)
    try:
        yield engine
    except BaseException:
        engine.close()  # whatever failed may have left something behind
        raise
    with suppress(duckdb.Error):  # there is no transaction, mostly
        engine.rollback()
    try:
        engine.execute("USE memory")
        attached = "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND database_name <> 'memory'"
        for (name,) in engine.execute(attached).fetchall():
            engine.execute(f"DETACH {quoted(name)}")
    except duckdb.Error:
        engine.close()  # what was written is safe: the next one to open a file does what was left to do
    else:
        _idle[use] = settings, engine


def close_idle_engines() -> None:
    """Close the engines that nobody uses."""
    _idle.clear()


atexit.register(close_idle_engines)
if hasattr(os, "register_at_fork"):
    # A child would not have the threads of its parent's engines.
    os.register_at_fork(before=close_idle_engines)
