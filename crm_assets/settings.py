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
        resume_hours: How long what an interrupted read brought is kept for the next one; with 0 nothing is kept
            (``CRM_ASSETS_RESUME_HOURS``).
    """

    connections_file: Path = Path("connections.yaml")
    data_folder: Path = Path("data")
    destination: str = "duckdb"
    lock_timeout: float = 120.0
    sandbox_url: str | None = None
    schedules_on: bool = False
    resume_hours: float = 24.0

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
            lock_timeout=_number_setting(environment, "CRM_ASSETS_LOCK_TIMEOUT", "seconds", cls.lock_timeout),
            sandbox_url=environment.get("CRM_ASSETS_SANDBOX", "").rstrip("/") or None,
            schedules_on=environment.get("CRM_ASSETS_SCHEDULES") == "on",
            resume_hours=_number_setting(environment, "CRM_ASSETS_RESUME_HOURS", "hours", cls.resume_hours),
        )


def _number_setting(environment: Mapping[str, str], name: str, unit: str, default: float) -> float:
    text = environment.get(name)
    try:
        number = float(text) if text else default
    except ValueError:
        number = -1
    if not 0 <= number < math.inf:
        raise SettingsError(f"{name} is {text!r}; expected a number of {unit} such as {default:g}.")
    return number
