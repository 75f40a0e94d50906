"""What happens first in every command: ``.env`` is read, and libraries are silenced."""

from __future__ import annotations

import os
import warnings
from pathlib import Path


def read_env_file() -> None:
    """Take variables from ``.env`` in the working folder, as ``dagster dev`` does; the environment takes precedence."""
    path = Path(".env")
    if path.is_file():
        from dotenv import dotenv_values

        for name, value in dotenv_values(path).items():
            if value is not None:
                os.environ.setdefault(name, value)


def quiet_libraries() -> None:
    """Turn off dlt's telemetry and the log lines of the libraries, unless the environment says otherwise."""
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", message=".* is currently in (beta|preview), and may have breaking changes")
