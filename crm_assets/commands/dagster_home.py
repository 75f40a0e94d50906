"""The Dagster instance of all commands: ``DAGSTER_HOME``, or ``dagster`` in the data folder."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from importlib.resources import files
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from filelock import FileLock

from crm_assets.commands.fast_exit import collect_often
from crm_assets.errors import CommandError
from crm_assets.orchestration.dagster_compat import sqlite_config
from crm_assets.warehouse.errors import cause_of

TEMPLATE = files("crm_assets.commands") / "templates" / "dagster.yaml"
"""The settings of an instance in a new folder."""
_MADE_HERE = "# Made by crm-assets from dagster.yaml of the working folder: edit that file.\n"
_REMEDIES = {
    "dagster_postgres": " Install it: pip install 'crm-assets[postgres]' dagster-postgres.",
    "psycopg": " Write its postgres_url as postgresql+psycopg2://…, the driver of dagster-postgres.",
}
"""What to do where this module is missing."""
_OVERRIDES = {
    # Dagster would capture standard output, which takes two further processes per run.
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
    "telemetry": {"enabled": False},
}


def dagster_home(data_folder: Path) -> Path:
    """Return ``DAGSTER_HOME``, or the instance's folder in the data folder, made where it is missing.

    The settings of the latter are those of ``dagster.yaml`` in the working folder, as for ``dagster dev``.

    Raises:
        CommandError: ``DAGSTER_HOME`` is not a folder, or the data folder cannot be written.
    """
    if chosen := os.environ.get("DAGSTER_HOME"):
        home = Path(chosen).expanduser()
        if not home.is_absolute() or not home.is_dir():
            raise CommandError(f"DAGSTER_HOME is {chosen!r}; expected the absolute path of an existing folder.")
        return home
    home = data_folder.resolve() / "dagster"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_settings(home / "dagster.yaml")
    except OSError as error:
        raise CommandError(f"The data folder {data_folder} cannot be written: {error.strerror}.") from error
    return home


def open_instance(data_folder: Path) -> dg.DagsterInstance:
    """Open the instance of all commands.

    Raises:
        CommandError: ``DAGSTER_HOME`` is not a folder, the data folder cannot be written, or the instance's settings or
            database cannot be used.
    """
    home = dagster_home(data_folder)
    try:
        batching = _batching(home)
        if not batching:
            collect_often()
        with _creation_lock(home):
            return dg.DagsterInstance.local_temp(str(home), overrides={**_OVERRIDES, **batching})
    except Exception as error:  # of any driver: the storage is whatever dagster.yaml names
        cause = cause_of(error)
        remedy = _REMEDIES.get(cause.removeprefix("No module named ").strip("'"), "")
        raise CommandError(
            f"The Dagster instance of {home / 'dagster.yaml'} cannot be opened: {cause}.{remedy}"
        ) from error


def _batching(home: Path) -> dict[str, Any]:
    """Return the settings that let SQLite take the events of many partitions together; none for other storages."""
    config = sqlite_config(home)
    if config is None:
        return {}
    batching = {
        "module": "crm_assets.orchestration.sqlite_storage",
        "class": "BatchingSqliteStorage",
        "config": config,
    }
    return {"storage": {"custom": batching}}


def _creation_lock(home: Path) -> AbstractContextManager[object]:
    """Return a lock for the creation of databases; without it, of several first syncs all but one would fail."""
    return FileLock(home / "crm_assets.lock") if os.access(home, os.W_OK) else nullcontext()


def _write_settings(path: Path) -> None:
    if path.exists() and not path.read_text(encoding="utf-8").startswith(_MADE_HERE):
        return
    own = Path("dagster.yaml")
    try:
        settings = yaml.safe_load((own if own.is_file() else TEMPLATE).read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise CommandError(f"dagster.yaml is not valid YAML: {error}") from error
    text = _MADE_HERE + yaml.safe_dump({name: part for name, part in settings.items() if not _is_relative(part)})
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


def _is_relative(part: Any) -> bool:
    """Return whether a section names a folder relative to the working folder, which Dagster's default replaces."""
    part = part.get("custom", part) if isinstance(part, dict) else {}
    config = part.get("sqlite") or part.get("config")
    folder = config.get("base_dir") if isinstance(config, dict) else None
    return isinstance(folder, str) and not Path(folder).is_absolute()
