"""Runs whose process died without a word: known by the lock it held, and marked as failed.

Dagster's code server sees the processes it started itself; runs of ``crm-assets sync`` are nobody's children. Each has
a lock in the data folder, named after the run and this machine: the system frees it when the process ends.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout


@contextmanager
def run_lock(folder: Path, run_id: str) -> Iterator[None]:
    """Hold the lock of a run for as long as this process works on it.

    Args:
        folder: The runs' folder, made where it is missing.
        run_id: The run, which is not begun yet.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{run_id}{_suffix()}"
    try:
        with FileLock(path):
            yield
    finally:
        path.unlink(missing_ok=True)


def mark_orphaned(instance: dg.DagsterInstance, folder: Path) -> list[str]:
    """Mark as failed the runs of this machine that nobody works on any more; return their ids."""
    dead = []
    for path in folder.iterdir() if folder.is_dir() else ():
        run_id = path.name.removesuffix(_suffix())
        if run_id != path.name and _is_free(path):
            run = instance.get_run_by_id(run_id)
            if run and not run.is_finished:
                instance.report_run_failed(run, "The process of this run died; what it had loaded is kept.")
                dead.append(run_id)
            path.unlink(missing_ok=True)
    return dead


def _suffix() -> str:
    return f".{platform.node()}.run_lock"


def _is_free(path: Path) -> bool:
    try:
        with FileLock(path).acquire(timeout=0):
            return True
    except Timeout:
        return False
