"""Settings of the libraries below and of Python: no telemetry, no chatter, no needless work."""

from __future__ import annotations

import atexit
import gc
import os
import warnings


def quiet_libraries() -> None:
    """Turn off dlt's telemetry and the log lines of the libraries, unless the environment says otherwise."""
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def spare_collector() -> None:
    """Let Python's garbage collector run seldom, and not at exit.

    What Dagster and dlt make while they are imported lives to the end of the process. Walking over all of it again
    and again, and once more at exit, takes a fifth of a short run.
    """
    gc.set_threshold(100_000, 50, 100)
    atexit.register(gc.freeze)
