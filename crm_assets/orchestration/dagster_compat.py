"""Names of Dagster that are not public and have no public counterpart; nothing else of ours imports private ones.

The exceptions are ``sqlite_storage`` and ``sqlite_creation``, which load SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.errors import DagsterUserCodeProcessError
from dagster._core.events import ASSET_CHECK_EVENTS
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import ConfigurableClassData
from dagster._utils.error import SerializableErrorInfo  # type: ignore[attr-defined]  # re-exported in all versions
from dagster._utils.schedules import cron_string_iterator

__all__ = [
    "ASSET_CHECK_EVENTS",
    "ConfigurableClassData",
    "ExpectedError",
    "UnresolvedAssetJobDefinition",
    "sqlite_config",
    "ticks",
]


class _StacklessError(DagsterUserCodeProcessError):
    """Dagster records the stack of every exception but of those from another process; they bring their own, if any."""

    def __init__(self, sentence: str) -> None:
        info = SerializableErrorInfo(message=f"{sentence}\n", stack=[], cls_name="Failure")
        super().__init__(sentence, user_code_process_error_infos=[info])  # type: ignore[no-untyped-call]


class ExpectedError(dg.Failure, _StacklessError):
    """A failure that a person can act on: the UI shows its sentence, without a stack trace."""


def ticks(cron: str, zone: str, start: datetime) -> Iterator[datetime]:
    """Yield the ticks of a cron expression from ``start`` on.

    The windows of ``dagster.TimeWindowPartitionsDefinition`` are the same ticks, but its public methods took up to 17 s
    for a thousand of them (Dagster 1.13.1), against 0.1 s here.
    """
    return cron_string_iterator(start.timestamp(), cron, zone)


def modules_of_project(path: Path) -> list[str]:
    """Return the modules that a pyproject.toml names as code locations, under ``tool.dagster`` or ``tool.dg``."""
    if not path.is_file():
        return []
    from dagster._core.workspace.load_target import get_origins_from_toml

    targets = [origin.loadable_target_origin for origin in get_origins_from_toml(str(path))]
    return [target.module_name for target in targets if target.module_name]


def sqlite_config(home: Path) -> dict[str, Any] | None:
    """Return the settings of an instance's SQLite storage; ``None`` if it uses another one."""
    storage = InstanceRef.from_dir(str(home)).storage_data
    if storage is None or storage.class_name != "DagsterSqliteStorage":
        return None
    settings: dict[str, Any] = yaml.safe_load(storage.config_yaml)
    return settings
