"""Settings of the libraries below: no telemetry, no chatter."""

from __future__ import annotations

import os
import warnings


def quiet_libraries() -> None:
    """Turn off dlt's telemetry and the log lines of the libraries, unless the environment says otherwise."""
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", message=".* is currently in (beta|preview), and may have breaking changes")
