"""The migrations of Dagster's storages, read once per process.

Each new instance marks its databases as migrated, and Alembic reads all migrations to know the latest one: two thirds
of what a new instance in memory costs, and tests make hundreds.
"""

from __future__ import annotations

from typing import Any

from alembic.script import ScriptDirectory

_read = ScriptDirectory.from_config
_known: dict[str, ScriptDirectory] = {}


def read_once() -> None:
    """Let Alembic remember the folders it has read."""
    ScriptDirectory.from_config = staticmethod(_remembered)  # type: ignore[method-assign, assignment]


def _remembered(config: Any) -> ScriptDirectory:
    folder = str(config.get_main_option("script_location"))
    if folder not in _known:
        _known[folder] = _read(config)
    return _known[folder]
