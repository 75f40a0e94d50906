"""Settings: everything the environment says in ``CRM_ASSETS_*``, read once and passed on."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crm_assets.errors import SettingsError


@dataclass(frozen=True)
class Settings:
    """What is set for a whole process.

    Attributes:
        connections_file: The connections file (``CRM_ASSETS_CONNECTIONS``).
        data_folder: Folder of the warehouse, the Dagster instance and the working files (``CRM_ASSETS_DATA``).
        destination: Name of a dlt destination (``CRM_ASSETS_DESTINATION``).
        lock_timeout: Seconds to wait for a program that holds the DuckDB file (``CRM_ASSETS_LOCK_TIMEOUT``).
        sandbox_url: Address of the sandbox that replaces all APIs, if one does (``CRM_ASSETS_SANDBOX``).
        schedules_on: Turn on all schedules and sensors, as the demo does (``CRM_ASSETS_SCHEDULES=on``).
    """

    connections_file: Path = Path("connections.yaml")
    data_folder: Path = Path("data")
    destination: str = "duckdb"
    lock_timeout: float = 120.0
    sandbox_url: str | None = None
    schedules_on: bool = False

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings of an environment; an empty variable counts as one that is not set.

        Raises:
            SettingsError: A variable has a value that cannot be used.
        """
        return cls(
            connections_file=Path(environment.get("CRM_ASSETS_CONNECTIONS") or cls.connections_file),
            data_folder=Path(environment.get("CRM_ASSETS_DATA") or cls.data_folder),
            destination=environment.get("CRM_ASSETS_DESTINATION") or cls.destination,
            lock_timeout=_seconds(environment.get("CRM_ASSETS_LOCK_TIMEOUT") or str(cls.lock_timeout)),
            sandbox_url=environment.get("CRM_ASSETS_SANDBOX", "").rstrip("/") or None,
            schedules_on=environment.get("CRM_ASSETS_SCHEDULES") == "on",
        )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < math.inf:
        raise SettingsError(f"CRM_ASSETS_LOCK_TIMEOUT is {text!r}; expected a number of seconds such as 120.")
    return seconds
