"""What the settings of the Dagster instance say, without the time that importing Dagster takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

_STORAGES = ("storage", "run_storage")


def may_be_postgres(data_folder: Path) -> bool:
    """Return whether runs may be stored in PostgreSQL; opening the instance shows whether they are.

    Args:
        data_folder: Has the instance where ``DAGSTER_HOME`` is not set.
    """
    if home := os.environ.get("DAGSTER_HOME"):
        return _names_postgres(Path(home).expanduser() / "dagster.yaml")
    return any(map(_names_postgres, (Path("dagster.yaml"), data_folder / "dagster" / "dagster.yaml")))


def _names_postgres(path: Path) -> bool:
    try:
        settings: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return False
    except yaml.YAMLError:
        return True  # opening the instance shows what is wrong with the file
    stored = [settings.get(name) for name in _STORAGES] if isinstance(settings, dict) else []
    return "postgres" in str(stored).lower()
