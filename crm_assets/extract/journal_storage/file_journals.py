"""Journals in files of one machine, below the data folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from crm_assets.extract.journal_storage.journal_file import JournalFile
from crm_assets.extract.journal_storage.journal_store import JournalEntries, JournalName

_LOCK_SECONDS = 10.0
"""Seconds to wait for another run that opens or removes a journal, which takes it a moment."""


@dataclass(frozen=True)
class FileJournals:
    """The files, each with a lock beside it that the system frees when its process dies.

    Attributes:
        folder: Where those of all connections are; made when it is needed, for its owner alone.
    """

    folder: Path

    def open(self, name: JournalName, hours: float, *, fresh: bool) -> JournalEntries:
        """Open a journal, and remove those that are of no use.

        Raises:
            filelock.Timeout: Another run has it.
            OSError: The folder cannot be written.
        """
        path = self.folder / f"{name.connection}.{name.resource}.{name.binding[:16]}.journal"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _turn(self.folder):
            self._sweep(hours, f"{name.connection}.{name.resource}.*.journal" if fresh else "")
            lock = FileLock(path.with_suffix(".lock"))
            lock.acquire(timeout=0)
        return _LockedFile(path, lock)

    def left_by(self, connection: str) -> bool:
        """Return whether an interrupted run of a connection may have left anything."""
        return any(self.folder.glob(f"{connection}.*.journal"))

    def close(self) -> None:
        """Do nothing: each file is closed by itself."""

    def _sweep(self, hours: float, unwanted: str) -> None:
        """Remove the journals that are too old, and those that a pattern names, if no run has them."""
        oldest = time.time() - hours * 3600
        old = [path for path in self.folder.glob("*.journal") if path.stat().st_mtime < oldest]
        for path in {*old, *(self.folder.glob(unwanted) if unwanted else ())}:
            with suppress(Timeout, OSError), FileLock(path.with_suffix(".lock")).acquire(timeout=0):
                _unlink(path)


class _LockedFile(JournalFile):
    def __init__(self, path: Path, lock: FileLock) -> None:
        super().__init__(path)
        self._path = path
        self._lock = lock

    def close(self) -> None:
        super().close()
        self._lock.release()

    def remove(self) -> None:
        super().close()
        with suppress(OSError, Timeout), _turn(self._path.parent):
            _unlink(self._path)
            self._lock.release()


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Let no other run open or remove a journal meanwhile."""
    with FileLock(folder / "turn.lock").acquire(timeout=_LOCK_SECONDS):
        yield


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_suffix(".lock").unlink(missing_ok=True)
