"""The journals of a run's reads: found again by what is read, not by which run or machine reads it.

Each belongs to one run at a time; another one that reads the same meanwhile starts over and keeps nothing. What lies in
their store has no power: what is damaged, too old or of something else is not used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from hashlib import sha256

from filelock import Timeout

from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.http.tokens import fingerprint
from crm_assets.extract.journal_storage.journal_store import JournalName, JournalStore
from crm_assets.extract.read_report import ReadTask
from crm_assets.extract.resume.journal import Journal

_TELLING = 4
"""Digits of a secret's fingerprint: they distinguish the secrets of accounts, and do not reveal them."""


@dataclass
class Journals:
    """The journals of the reads of one run.

    Args:
        store: Where those of all connections are; without one nothing is kept.
        hours: How long they are of use; with 0 nothing is kept.
        fresh: Whether to start over.
        destination: Where the rows go, which has a say in how they are decoded.
        loaded: When rows of what is read were last loaded, by resource; older journals are of no use.
        log: Takes a line.
    """

    store: JournalStore | None = None
    hours: float = 24.0
    fresh: bool = False
    destination: str = ""
    loaded: dict[str, datetime] = field(default_factory=dict)
    log: Callable[[str], object] = lambda _: None
    _open: dict[str, Journal] = field(default_factory=dict)
    _writer: Executor = field(default_factory=lambda: ThreadPoolExecutor(1, "journal"))

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
        if self.store is None or not self.hours:
            return Journal()
        try:
            entries = self.store.open(JournalName(connection.name, name, binding), self.hours, fresh=self.fresh)
            journal = Journal(
                entries,
                binding,
                lambda text: redact(text) != text,
                lambda text: self._say(name, text),
                self._writer,
            )
            self._begin_anew_if_useless(name, journal)
        except Timeout:
            self._say(name, "another run is reading the same list; this one starts over")
            return Journal()
        except OSError as error:
            self._say(name, f"what is read cannot be saved for resuming ({error.strerror or error})")
            return Journal()
        self._open[name] = journal
        return journal

    def left_by(self, connection: Connection) -> bool:
        """Return whether an interrupted run of a connection may have left anything."""
        return self.store is not None and bool(self.hours) and self.store.left_by(connection.name)

    def discard(self, name: str) -> None:
        """Remove the journal of a resource: its rows are loaded, or what is kept of them is of no use."""
        if journal := self._open.pop(name, None):
            journal.remove()

    def settle(self, needed: set[str], unloadable: set[str]) -> None:
        """Remove what is of no further use after a run, and leave the rest to the next one.

        Args:
            needed: Resources that failed, and the parents of their lists.
            unloadable: Resources that were read to their end and could not be loaded.
        """
        for name, journal in [*self._open.items()]:
            # What was all there before, and could not be loaded once more, may itself be the reason.
            if name not in needed or (name in unloadable and not journal.grown):
                self.discard(name)

    def close(self) -> None:
        """Let other runs have what is left."""
        for journal in self._open.values():
            journal.close()
        self._open.clear()
        self._writer.shutdown()
        if self.store is not None:
            self.store.close()

    def _begin_anew_if_useless(self, name: str, journal: Journal) -> None:
        if not journal.trusted:
            self._say(name, "what an interrupted run left is damaged or of another kind; it is read again")
        age, loaded = (datetime.now(timezone.utc) - journal.began).total_seconds(), self.loaded.get(name)
        if not 0 <= age <= self.hours * 3600 or (loaded and loaded >= journal.began):
            journal.begin_anew()
        elif journal.resumed:
            self._say(name, f"resumes what an interrupted run has read since {journal.began:%Y-%m-%d %H:%M} UTC")

    def _say(self, name: str, text: str) -> None:
        self.log(f"{name}: {text}.")

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
