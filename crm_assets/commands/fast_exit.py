"""A short process: no needless work while it starts and when it ends."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Callable

_UNSAID = 120
"""Python's own status for a process whose last words could not be written."""


def run_and_exit(program: Callable[[], object]) -> None:
    """Run a program as the whole of this process.

    What Dagster and dlt make while they are imported lives to the end. To walk over all of it again and again in
    search of garbage, and to take it apart at the end, takes a third of a short sync. So the collector runs seldom,
    and the process ends as soon as everything that is registered for its exit is done.

    Args:
        program: Ends by returning or by ``SystemExit``; must be called before anything registers for the exit.
    """
    gc.set_threshold(100_000, 50, 100)
    status = 1

    def end() -> None:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            os._exit(status or _UNSAID)
        os._exit(status)

    atexit.register(end)
    try:
        program()
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        raise
