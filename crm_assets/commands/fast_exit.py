"""A short process: no needless work while it starts and when it ends."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Callable

_UNSAID = 120
"""CPython's exit status when stdout cannot be flushed."""
_PYTHONS_OWN, _SELDOM = gc.get_threshold(), (100_000, 50, 100)


def collect_often() -> None:
    """Collect garbage as often as any other process from now on, but leave what was imported to itself.

    Closed connections of Dagster's PostgreSQL storage are garbage in cycles: the server counts each as open until it
    is collected, and has room for a hundred.
    """
    if gc.get_threshold() == _SELDOM:
        gc.freeze()
        gc.set_threshold(*_PYTHONS_OWN)


def run_and_exit(program: Callable[[], object]) -> None:
    """Run a program as the whole of this process.

    What Dagster and dlt make while they are imported lives to the end. Walking over all of it again and again in
    search of garbage, and taking it apart at the end, takes a third of a short sync. So the collector runs seldom,
    and the process ends as soon as everything that is registered for its exit is done.

    Args:
        program: Ends by returning or by ``SystemExit``; must be called before anything registers for the exit.
    """
    gc.set_threshold(*_SELDOM)
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
