"""Journals in the instance's PostgreSQL, where the runs of all machines find them: a row each, and one per entry.

Everybody who can read the instance's tables can read what is kept: the records of interrupted reads.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any

import psycopg2
from filelock import Timeout

from crm_assets.extract.journal_storage.frame import framed, unframed
from crm_assets.extract.journal_storage.journal_store import JournalEntries, JournalName
from crm_assets.orchestration.shared_state.database import connect, said

_MEGABYTE = 2**20
_ENTRY_ROOM, _JOURNAL_ROOM, _ALL_ROOM = 16 * _MEGABYTE, 256 * _MEGABYTE, 2048 * _MEGABYTE
"""Bytes, compressed, of one entry, of one journal, and of all of them."""
_LOOK_AFTER = 16 * _MEGABYTE
"""Bytes after which a journal looks again at how much there is of all."""
_BATCH = 4 * _MEGABYTE
"""Bytes of entries that are read at once, if they are not one."""
_NOTICE_SOON = """
SET tcp_keepalives_idle = 5;
SET tcp_keepalives_interval = 2;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '10s'
"""
"""A lost machine's journals are free before its run counts as abandoned, so that the retry finds them free."""
_TURN = "BEGIN; SELECT pg_advisory_xact_lock(hashtext('crm_assets.journals'))"
_KEY = "hashtextextended(concat_ws(' ', 'crm_assets journal', %s, %s, %s), 0)"
_KEY_OF_ROW = _KEY % ("u.connection", "u.resource", "u.binding")
_SWEEP = f"""
WITH useless AS MATERIALIZED (
  SELECT *, connection = %s AND resource = %s AND %s AS unwanted FROM crm_assets_journals
  WHERE extract(epoch FROM now() - began) > %s OR (connection = %s AND resource = %s AND %s)
  ORDER BY unwanted DESC, began LIMIT 4
)
DELETE FROM crm_assets_journals j USING useless u
WHERE j.id = u.id AND j.id <> ALL(%s) AND pg_try_advisory_xact_lock({_KEY_OF_ROW})
"""
"""A few at a time: removing two gigabytes at once would take longer than a statement may."""
_ENTRIES = """
SELECT place, content FROM (
  SELECT place, content, sum(octet_length(content)) OVER (ORDER BY place) AS upto
  FROM (SELECT * FROM crm_assets_journal_entries WHERE journal = %s AND place >= %s ORDER BY place LIMIT 256) e
) f WHERE upto <= %s OR place = %s ORDER BY place
"""
_COPY_HEAD, _COPY_END = b"PGCOPY\n\xff\r\n\x00" + bytes(8), b"\xff\xff"
_OF_JOURNAL = "FROM crm_assets_journal_entries WHERE journal = %s AND place >= %s"


class PostgresJournals:
    """The journals of all connections, for one run: one session, which holds an advisory lock for each open journal.

    The server frees them when the process dies. A session that is lost is not made anew: its locks may be another's.
    The thread that reads and the one that writes entries take turns at it: psycopg2 does not keep a statement out of
    another thread's COPY or transaction.

    Args:
        url: The instance's database.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._database: Any = None
        self._failed: OSError | None = None
        self._ours: list[int] = []
        self._session = threading.RLock()

    def open(self, name: JournalName, hours: float, *, fresh: bool) -> JournalEntries:
        """Open a journal, and remove those that are of no use.

        Raises:
            filelock.Timeout: Another run has it.
            OSError: The database cannot be used.
        """
        key, of_list = (name.connection, name.resource, name.binding), (name.connection, name.resource, fresh)
        with self._turn():
            self.execute(_SWEEP, *of_list, hours * 3600, *of_list, self._ours)
            if self.execute(f"SELECT pg_try_advisory_lock({_KEY})", *key) != [(True,)]:
                raise Timeout(str(name))
            self.execute(
                "INSERT INTO crm_assets_journals (connection, resource, binding) VALUES (%s, %s, %s) "
                "ON CONFLICT DO NOTHING",
                *key,
            )
            found = "SELECT id FROM crm_assets_journals WHERE connection = %s AND resource = %s AND binding = %s"
            ((number,),) = self.execute(found, *key)
        self._ours.append(number)
        return _PostgresJournal(self, number, key)

    def left_by(self, connection: str) -> bool:
        """Return whether an interrupted run of a connection may have left anything; it may have if that is unknown."""
        with suppress(OSError):
            return bool(self.execute("SELECT 1 FROM crm_assets_journals WHERE connection = %s LIMIT 1", connection))
        return True

    def close(self) -> None:
        """End the session, and with it all locks."""
        if self._database is not None:
            self._database.close()

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        """Run a statement and return its rows.

        Raises:
            OSError: The database cannot be used.
        """
        with self._session, self._cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def copy(self, table: str, row: bytes) -> None:
        """Put a row into a table, in PostgreSQL's binary form: four times as fast as a statement with it.

        Raises:
            OSError: The database cannot be used.
        """
        with self._session, self._cursor() as cursor:
            cursor.copy_expert(f"COPY {table} FROM STDIN (FORMAT binary)", BytesIO(row))

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        if self._failed:
            raise self._failed
        try:
            if self._database is None:
                self._database = connect(self._url)
                self.execute(_NOTICE_SOON)
            with self._database.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            failed = OSError(f"PostgreSQL of the Dagster instance: {said(error)}")
            if self._database is None or self._database.closed:
                self._failed = failed
            raise failed from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let no other run open or remove a journal meanwhile."""
        with self._session:
            try:
                self.execute(_TURN)
                yield
            except BaseException:
                with suppress(OSError):
                    self.execute("ROLLBACK")
                raise
            self.execute("COMMIT")


class _PostgresJournal:
    """One journal; the place of an entry is its number."""

    def __init__(self, store: PostgresJournals, number: int, key: tuple[str, str, str]) -> None:
        self.damaged = False
        self._store = store
        self._number = number
        self._key = key
        self._end = 0
        self._bytes = 0
        self._look_at = 0

    def entries(self) -> Iterator[tuple[int, bytes]]:
        while batch := self._store.execute(_ENTRIES, self._number, self._end, _BATCH, self._end):
            for place, content in batch:
                entry = unframed(bytes(content)) if place == self._end else None
                if entry is None:
                    self.damaged = True
                    self.cut(self._end)
                    return
                yield self._end, entry
                self._end += 1
                self._bytes += len(content)
        self.damaged = bool(self._store.execute(f"SELECT 1 {_OF_JOURNAL} LIMIT 1", self._number, self._end))
        self.cut(self._end)

    def cut(self, end: int) -> None:
        self._store.execute(f"DELETE {_OF_JOURNAL}", self._number, end)
        self._end = end
        if end == 0:
            self._bytes = 0
            self._store.execute("UPDATE crm_assets_journals SET began = now() WHERE id = %s", self._number)

    def append(self, entry: bytes) -> int:
        frame = framed(entry)
        self._make_sure_of_room(len(frame))
        self._store.copy("crm_assets_journal_entries", _row(self._number, self._end, frame))
        self._bytes += len(frame)
        self._end += 1
        return self._end - 1

    def read(self, place: int) -> bytes:
        found = self._store.execute(
            "SELECT content FROM crm_assets_journal_entries WHERE journal = %s AND place = %s", self._number, place
        )
        entry = unframed(bytes(found[0][0])) if found else None
        if entry is None:
            raise OSError("what was saved has changed meanwhile")
        return entry

    def close(self) -> None:
        with suppress(OSError):
            self._store.execute(f"SELECT pg_advisory_unlock({_KEY})", *self._key)

    def remove(self) -> None:
        with suppress(OSError):
            self._store.execute("DELETE FROM crm_assets_journals WHERE id = %s", self._number)
        self.close()

    def _make_sure_of_room(self, size: int) -> None:
        if size > _ENTRY_ROOM:
            raise OSError(f"a page of more than {_ENTRY_ROOM // _MEGABYTE} MB")
        if self._bytes + size > _JOURNAL_ROOM:
            raise OSError(f"{_JOURNAL_ROOM // _MEGABYTE} MB of it are saved")
        if self._bytes + size > self._look_at:
            ((kept,),) = self._store.execute(
                "SELECT coalesce(sum(octet_length(content)), 0) FROM crm_assets_journal_entries"
            )
            if kept + size > _ALL_ROOM:
                raise OSError(f"{_ALL_ROOM // _MEGABYTE} MB are saved of all lists together")
            self._look_at = self._bytes + _LOOK_AFTER


def _row(journal: int, place: int, content: bytes) -> bytes:
    """Return a row of entries as COPY takes it: the number of fields, then each behind its length, big-endian."""
    return _COPY_HEAD + struct.pack("!hiqiqi", 3, 8, journal, 8, place, len(content)) + content + _COPY_END
