"""Runs whose process died without a word: known by the lock it held, and marked as failed.

Dagster's code server sees the processes it started itself; runs of ``crm-assets sync`` are nobody's children.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import dagster as dg
from filelock import FileLock, Timeout

HOST_TAG, LOCK_TAG = "crm/host", "crm/lock"


@contextmanager
def run_lock(folder: Path) -> Iterator[dict[str, str]]:
    """Hold a lock for as long as runs are worked on; yield the tags by which these runs name it.

    Args:
        folder: The runs' folder, made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder.resolve() / f"{uuid4().hex}.run_lock"
    try:
        with FileLock(path):
            yield {HOST_TAG: platform.node(), LOCK_TAG: str(path)}
    finally:
        path.unlink(missing_ok=True)


def mark_orphaned(instance: dg.DagsterInstance) -> list[str]:
    """Mark as failed the started runs of this machine that nobody works on any more; return their ids."""
    statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    started = instance.get_runs(dg.RunsFilter(statuses=statuses, tags={HOST_TAG: platform.node()}))
    dead = [run for run in started if _free(Path(run.tags[LOCK_TAG]))]
    for run in dead:
        instance.report_run_failed(run, "The process that worked on this run died; what it had loaded is kept.")
    for path in {Path(run.tags[LOCK_TAG]) for run in dead}:
        path.unlink(missing_ok=True)
    return [run.run_id for run in dead]


def _free(path: Path) -> bool:
    if not path.exists():
        return True
    try:
        with FileLock(path).acquire(timeout=0):
            return True
    except Timeout:
        return False
