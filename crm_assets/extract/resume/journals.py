"""The journals of a connection's reads, in the data folder: found again by what is read, not by which run reads it.

Each belongs to one run at a time; another one that reads the same meanwhile starts over and keeps nothing. What lies in
the folder has no power: what is damaged, too old or of something else is not used.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.http.tokens import fingerprint
from crm_assets.extract.read_report import ReadTask
from crm_assets.extract.resume.journal import Journal
from crm_assets.extract.resume.journal_file import JournalFile

_TELLING = 4
"""Digits of a secret's fingerprint: they distinguish the secrets of accounts, and do not reveal them."""
_LOCK_SECONDS = 10.0
"""Seconds to wait for another run that opens or removes a journal, which takes it a moment."""


@dataclass
class _Open:
    journal: Journal
    path: Path
    lock: FileLock


@dataclass
class Journals:
    """The journals of the reads of one run.

    Args:
        folder: Where those of all connections are.
        hours: How long they are of use; with 0 nothing is kept.
        fresh: Whether to start over.
        destination: Where the rows go, which has a say in how they are decoded.
        loaded: When rows of what is read were last loaded, by resource; older journals are of no use.
        log: Takes a line.
    """

    folder: Path
    hours: float
    fresh: bool = False
    destination: str = ""
    loaded: dict[str, datetime] = field(default_factory=dict)
    log: Callable[[str], object] = lambda _: None
    _open: dict[str, _Open] = field(default_factory=dict)

    def of(
        self, connection: Connection, task: ReadTask, secrets: Mapping[str, str], redact: Callable[[str], str]
    ) -> Journal:
        """Return the journal of a read; one that keeps nothing where another run has it, or nothing can be kept.

        Args:
            connection: The account.
            task: What is read.
            secrets: The account's secrets, by name.
            redact: Keeps secrets out of texts.
        """
        name, binding = task.resource.name, self._binding(connection, task, secrets)
        path = self.folder / f"{connection.name}.{name}.{binding[:16]}.journal"
        if not self.hours:
            return Journal()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._turn():
                self._sweep(f"{connection.name}.{name}.*" if self.fresh else "")
                lock = FileLock(path.with_suffix(".lock"))
                lock.acquire(timeout=0)
            journal = Journal(JournalFile(path), binding, lambda text: redact(text) != text)
        except Timeout:
            self.log(f"{name}: another run is reading the same list; this one starts over.")
            return Journal()
        except OSError as error:
            self.log(f"{name}: what is read cannot be saved for resuming ({error.strerror}).")
            return Journal()
        self._open[name] = _Open(journal, path, lock)
        self._begin_anew_if_useless(name, journal)
        return journal

    def left_by(self, connection: Connection) -> bool:
        """Return whether an interrupted run of a connection may have left anything."""
        return any(self.folder.glob(f"{connection.name}.*.journal"))

    def discard(self, name: str) -> None:
        """Remove the journal of a resource: its rows are loaded, or what is kept of them is of no use."""
        if opened := self._open.pop(name, None):
            opened.journal.close()
            with suppress(OSError, Timeout), self._turn():
                _remove_journal(opened.path)
                opened.lock.release()

    def settle(self, needed: set[str], unloadable: set[str]) -> None:
        """Remove what is of no further use after a run, and leave the rest to the next one.

        Args:
            needed: Resources that failed, and the parents of their lists.
            unloadable: Resources that were read to their end and could not be loaded.
        """
        for name, opened in [*self._open.items()]:
            # What was all there before, and could not be loaded once more, may itself be the reason.
            if name not in needed or (name in unloadable and not opened.journal.grown):
                self.discard(name)

    def close(self) -> None:
        """Let other runs have what is left."""
        for opened in self._open.values():
            opened.journal.close()
            opened.lock.release()
        self._open.clear()

    def _begin_anew_if_useless(self, name: str, journal: Journal) -> None:
        if not journal.trusted:
            self.log(f"{name}: what an interrupted run left is damaged or of another kind; it is read again.")
        now, loaded = datetime.now(timezone.utc), self.loaded.get(name)
        if not now - timedelta(hours=self.hours) <= journal.began <= now or (loaded and loaded >= journal.began):
            journal.begin_anew()
        elif journal.resumed:
            self.log(f"{name}: resumes what an interrupted run has read since {journal.began:%Y-%m-%d %H:%M} UTC.")

    def _binding(self, connection: Connection, task: ReadTask, secrets: Mapping[str, str]) -> str:
        """Return what names a read: the same declaration, account, destination and days."""
        named = (
            self.destination,
            connection.base_url,
            connection.params,
            connection.timezone,
            connection.start_date,
            connection.system.client.model_dump_json(),
            task.resource.model_dump_json(),
            task.mode,
            task.date_ranges,
            {name: fingerprint(value)[:_TELLING] for name, value in sorted(secrets.items())},
        )
        return sha256(json.dumps(named, default=str).encode()).hexdigest()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let no other run open or remove a journal meanwhile."""
        with FileLock(self.folder / "turn.lock").acquire(timeout=_LOCK_SECONDS):
            yield

    def _sweep(self, unwanted: str) -> None:
        """Remove the journals that are too old, and those that a pattern names, if no run has them."""
        oldest = time.time() - self.hours * 3600
        old = [path for path in self.folder.glob("*.journal") if path.stat().st_mtime < oldest]
        for path in {*old, *(self.folder.glob(f"{unwanted}.journal") if unwanted else ())}:
            with suppress(Timeout, OSError), FileLock(path.with_suffix(".lock")).acquire(timeout=0):
                _remove_journal(path)


def _remove_journal(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_suffix(".lock").unlink(missing_ok=True)
