"""Which runs are worked on: each work holds a lock for as long as its process lives, wherever that is.

Dagster's code server sees the processes it started itself, and other launchers see what their engine reports. Neither
sees a machine that is gone. The lock is a file of this machine, or a session at the instance's PostgreSQL.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import dagster as dg
from filelock import FileLock, Timeout

from crm_assets.orchestration.shared_state.state import PostgresState, shared_state

_DIED = (
    "The process that worked on this run died, or its machine did, or that lost the Dagster instance; what it had "
    "loaded is kept."
)


class RunLocks(Protocol):
    """Where the locks are."""

    @property
    def shared(self) -> bool:
        """Whether other machines see them."""

    def hold(self, run_id: str, part: str) -> AbstractContextManager[None]:
        """Hold a lock while this process works on a run.

        Args:
            run_id: The run.
            part: What of it, such as a step; several may be worked on at once.
        """

    def abandoned(self) -> list[str]:
        """Return the runs of which a part's lock is free though its work has not ended; each is returned once."""


@dataclass(frozen=True)
class FileRunLocks:
    """A file for each part of a run, and a lock beside it that this machine's system frees when the process dies.

    Attributes:
        folder: Where, made when it is needed.
    """

    folder: Path
    shared: bool = field(default=False, init=False)

    @contextmanager
    def hold(self, run_id: str, part: str) -> Iterator[None]:
        """Hold a lock while this process works on a run."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{run_id}.{part}{self._suffix}"
        # a file without its lock would be taken for an abandoned run, so the lock comes first and goes last
        with FileLock(_lock_of(path)):
            path.touch(mode=0o600)
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
                _lock_of(path).unlink(missing_ok=True)

    def abandoned(self) -> list[str]:
        """Return the runs of this machine whose process has died."""
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        return [path.name.partition(".")[0] for path in paths if path.name.endswith(self._suffix) and _removed(path)]

    @property
    def _suffix(self) -> str:
        return f".{platform.node()}.run"


def run_locks(instance: dg.DagsterInstance, folder: Path) -> RunLocks:
    """Return the locks of an instance's runs.

    Args:
        instance: If its runs are stored in PostgreSQL, so are the locks: then they may be on several machines.
        folder: Has the files otherwise.
    """
    state = shared_state(instance, folder)
    if not isinstance(state, PostgresState):
        return FileRunLocks(folder)
    from crm_assets.orchestration.shared_state.postgres_run_locks import PostgresRunLocks

    return PostgresRunLocks(state.url)


def mark_abandoned(instance: dg.DagsterInstance, locks: RunLocks) -> list[str]:
    """Mark as failed the runs whose process has died, so that Dagster may retry them; return their ids."""
    marked = []
    for run_id in locks.abandoned():
        run = instance.get_run_by_id(run_id)
        if run and not run.is_finished:
            instance.report_run_failed(run, _DIED)
            marked.append(run_id)
    return marked


def _removed(path: Path) -> bool:
    """Remove the file of a part whose lock is free; return whether it was there, which it is not if the part ended."""
    with suppress(Timeout, FileNotFoundError), FileLock(_lock_of(path)).acquire(timeout=0):
        _lock_of(path).unlink()
        path.unlink()
        return True
    return False


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}_lock")
