"""Journals of interrupted reads, in files and in the instance's PostgreSQL: both keep the same promises."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from filelock import Timeout

from crm_assets.extract.errors import ReadError
from crm_assets.extract.journal_storage.frame import framed, unframed
from crm_assets.extract.journal_storage.journal_file import JournalFile
from crm_assets.extract.journal_storage.journal_store import JournalName, JournalStore
from crm_assets.extract.resume.journal import Began, Journal, ListEnded, ListOutcome
from crm_assets.extract.shared_state import FileState, SharedState
from crm_assets.orchestration.shared_state import database, journals
from crm_assets.orchestration.shared_state.database import connect
from crm_assets.orchestration.shared_state.journals import PostgresJournals
from crm_assets.orchestration.shared_state.state import PostgresState
from crm_assets_tests.away_server import away_server
from crm_assets_tests.extract.test_resume import Reading, ids, scramble
from crm_assets_tests.reliability.killed_runs import until

FORK = get_context("fork")
CONTACTS = JournalName("crm", "contacts", "b" * 64)
OTHERS = (JournalName("crm", "contacts", "c" * 64), JournalName("crm", "notes", "b" * 64))
WRITTEN = [f"entry {number}".encode() * 100 for number in range(9)]
Change = Callable[[str], None]


@pytest.fixture
def runs(state: SharedState) -> Iterator[Callable[[], JournalStore]]:
    """Return what gives each run its store."""
    opened: list[JournalStore] = []

    def run() -> JournalStore:
        opened.append(state.journals())
        return opened[-1]

    yield run
    for store in opened:
        store.close()


def left(run: JournalStore, name: JournalName = CONTACTS, entries: list[bytes] = WRITTEN) -> None:
    """Leave a journal, as an interrupted run does."""
    journal = run.open(name, 24, fresh=False)
    assert [*journal.entries()] == []
    for entry in entries:
        journal.append(entry)
    journal.close()


def found(run: JournalStore, name: JournalName = CONTACTS, hours: float = 24, fresh: bool = False) -> list[bytes]:
    """Return what a run finds, and leave it to the next one."""
    journal = run.open(name, hours, fresh=fresh)
    entries = [*journal.entries()]
    assert [journal.read(place) for place, _ in entries] == [entry for _, entry in entries]
    journal.close()
    return [entry for _, entry in entries]


def test_lists_are_opened_while_others_are_written(runs: Callable[[], JournalStore]) -> None:
    """The writer of a run is a thread: an entry must neither wait forever nor end with another list's turn."""
    run = runs()
    journal = run.open(CONTACTS, 24, fresh=False)
    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(lambda: [journal.append(entry * 100) for entry in WRITTEN * 40])
        while not written.done():
            for name in OTHERS:
                run.open(name, 24, fresh=False).remove()
        assert len(set(written.result(30))) == 40 * len(WRITTEN)
    journal.close()
    assert found(runs()) == [entry * 100 for entry in WRITTEN * 40]


def test_a_turn_that_was_waited_for_too_long_costs_one_list_and_no_more(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_SESSION", "SET statement_timeout = '100ms'")
    with closing(emptied(url)) as run, closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
        journal = run.open(CONTACTS, 24, fresh=False)
        cursor.execute("SELECT pg_advisory_lock(hashtext('crm_assets.journals'))")
        with pytest.raises(OSError, match="canceling statement due to statement timeout"):
            run.open(OTHERS[0], 24, fresh=False)
        other.rollback()
        cursor.execute("SELECT pg_advisory_unlock(hashtext('crm_assets.journals'))")
        journal.append(b"of the list that is open")
        journal.remove()
        run.open(OTHERS[0], 24, fresh=False).remove()


def test_what_a_run_leaves_another_one_finds_and_goes_on_with(runs: Callable[[], JournalStore]) -> None:
    left(runs())
    journal = runs().open(CONTACTS, 24, fresh=False)
    places = [place for place, entry in journal.entries()]
    assert places == sorted(set(places))
    assert journal.append(b"one more") > places[-1]
    journal.close()
    assert found(runs()) == [*WRITTEN, b"one more"]
    journal = runs().open(CONTACTS, 24, fresh=False)
    places = [place for place, _ in journal.entries()]
    journal.cut(places[4])
    assert journal.append(b"instead") == places[4]
    journal.close()
    assert found(runs()) == [*WRITTEN[:4], b"instead"]
    journal = runs().open(CONTACTS, 24, fresh=False)
    journal.cut(0)
    assert [*journal.entries()] == []
    journal.remove()
    assert not runs().left_by("crm")


def test_names_are_kept_apart(runs: Callable[[], JournalStore]) -> None:
    for number, name in enumerate((CONTACTS, *OTHERS)):
        left(runs(), name, WRITTEN[number:])
    assert [len(found(runs(), name)) for name in (CONTACTS, *OTHERS)] == [9, 8, 7]
    assert runs().left_by("crm")
    assert not runs().left_by("another")


def test_to_begin_anew_concerns_all_of_the_same_list_and_no_other(runs: Callable[[], JournalStore]) -> None:
    for name in (CONTACTS, *OTHERS):
        left(runs(), name)
    assert found(runs(), fresh=True) == []
    assert found(runs(), OTHERS[0]) == []
    assert found(runs(), OTHERS[1]) == WRITTEN


def test_what_is_too_old_goes_unless_a_run_has_it(runs: Callable[[], JournalStore]) -> None:
    for name in OTHERS:
        left(runs(), name)
    time.sleep(0.1)
    busy = runs().open(OTHERS[1], 24, fresh=False)
    assert found(runs(), CONTACTS, hours=0.05 / 3600) == []
    busy.close()
    assert found(runs(), OTHERS[0]) == []
    assert found(runs(), OTHERS[1]) == WRITTEN


def have(state: SharedState, pipe: Any) -> None:
    journal = state.journals().open(CONTACTS, 24, fresh=False)
    for number in range(10_000):
        journal.append(WRITTEN[number % 9])
        if number == 3:
            pipe.send("has it")


def test_a_journal_is_one_runs_until_that_dies(state: SharedState, runs: Callable[[], JournalStore]) -> None:
    ours, theirs = FORK.Pipe()
    holder = FORK.Process(target=have, args=(state, theirs), daemon=True)
    holder.start()
    assert ours.recv() == "has it"
    with pytest.raises(Timeout):
        runs().open(CONTACTS, 24, fresh=True)
    os.kill(holder.pid or 0, signal.SIGKILL)  # in the middle of an entry, as likely as not
    holder.join()
    started = time.monotonic()
    while True:
        try:
            entries = found(runs())
            break
        except Timeout:
            assert time.monotonic() - started < 5
            time.sleep(0.01)
    assert len(entries) >= 4
    assert entries == [WRITTEN[number % 9] for number in range(len(entries))]


@pytest.fixture
def damage(state: SharedState, url: str) -> Callable[[random.Random, int], None]:
    """Return what damages a journal in some way."""

    def in_file(chance: random.Random, way: int) -> None:
        assert isinstance(state, FileState)
        (path,) = (state.folder / "resume").glob("*.journal")
        content = bytearray(path.read_bytes())
        scramble(content, chance, way)
        path.write_bytes(content)

    def in_table(chance: random.Random, way: int) -> None:
        place = chance.randrange(len(WRITTEN))
        if way == 4:
            change(url, "DELETE FROM crm_assets_journal_entries WHERE place = %s", place)
            return
        frame = bytearray(framed(WRITTEN[place]))
        scramble(frame, chance, way)
        change(url, "UPDATE crm_assets_journal_entries SET content = %s WHERE place = %s", bytes(frame), place)

    return in_table if isinstance(state, PostgresState) else in_file


def change(url: str, sql: str, *parameters: Any) -> None:
    with closing(psycopg2.connect(url)) as database, database, database.cursor() as cursor:
        cursor.execute(sql, parameters)


def emptied(url: str) -> PostgresJournals:
    store = PostgresJournals(url)
    store.execute("DELETE FROM crm_assets_journals")
    return store


def test_nothing_behind_a_damage_is_believed(
    runs: Callable[[], JournalStore], damage: Callable[[random.Random, int], None]
) -> None:
    chance = random.Random(11)
    for way in range(5):
        left(runs())
        damage(chance, way)
        journal = runs().open(CONTACTS, 24, fresh=False)
        entries = [entry for _, entry in journal.entries()]
        assert entries == WRITTEN[: len(entries)]
        assert len(entries) < len(WRITTEN)
        assert journal.damaged, way
        journal.append(b"behind")
        journal.close()
        journal = runs().open(CONTACTS, 24, fresh=False)
        assert [entry for _, entry in journal.entries()] == [*entries, b"behind"]
        assert not journal.damaged
        journal.remove()


def test_entries_may_be_of_any_size_and_are_read_a_few_at_a_time(
    runs: Callable[[], JournalStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "_BATCH", 50_000)
    chance, small = random.Random(12), b"small"
    large = chance.randbytes(journals._BATCH + 1)
    entries = [small, large, small, large[: journals._BATCH // 2], large[: journals._BATCH // 2 + 1], small]
    left(runs(), CONTACTS, entries)
    assert found(runs()) == entries


def test_a_read_that_was_interrupted_goes_on_in_another_folder(state: SharedState, url: str, tmp_path: Path) -> None:
    with away_server() as server:
        (tmp_path / "one").mkdir()
        reading = Reading(server, tmp_path / "one", state)
        assert not reading.run("tickets", stays=9)["tickets"].report.complete
        assert not reading.run("contacts", "notes", stays=12 + 40)["notes"].report.complete
        if isinstance(state, PostgresState):
            with closing(psycopg2.connect(url)) as database, database.cursor() as cursor:
                cursor.execute("SELECT content FROM crm_assets_journal_entries")
                kept = b"".join(unframed(bytes(content)) or b"" for (content,) in cursor.fetchall())
            assert b"as it was" in kept
            assert reading.secret.encode() not in kept
        (tmp_path / "two").mkdir()
        other = Reading(server, tmp_path / "two", state)
        assert ids(other.run("tickets")["tickets"]) == [*range(1, 61)]
        assert "/tickets?size=5&offset=0" not in server.asked
        found = other.run("contacts", "notes")["notes"]
        assert len(ids(found)) == 120
        lists = [target for target in server.asked if target.endswith("/notes")]
        assert len(lists) <= 60 - 40 + reading.connection.concurrency
        with closing(state.journals()) as after:
            assert not after.left_by("crm")


def test_where_there_is_no_room_the_rest_is_not_kept(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "_JOURNAL_ROOM", 5_000)
    monkeypatch.setattr(journals, "_ALL_ROOM", 7_000)
    monkeypatch.setattr(journals, "_LOOK_AFTER", 0)
    told: list[str] = []
    chance, store = random.Random(13), emptied(url)
    kept = {}
    for name in (CONTACTS, *OTHERS):
        journal = Journal(store.open(name, 24, fresh=False), name.binding, say=told.append)
        for _ in range(20):
            journal.add(Began(chance.randbytes(1_000).hex(), journal.began))
        journal.close()
        kept[name] = len(found(store, name))
    store.close()
    first, second, third = kept.values()
    assert 3 <= first <= 5
    assert 1 <= second <= 3
    assert third <= 1
    assert told == [
        "what is read from now on is not saved for resuming (0 MB of it are saved)",
        "what is read from now on is not saved for resuming (0 MB are saved of all lists together)",
        "what is read from now on is not saved for resuming (0 MB are saved of all lists together)",
    ]


def test_a_session_that_is_lost_keeps_nothing_more_and_takes_nothing_from_the_next(url: str) -> None:
    told: list[str] = []
    lost, store = PostgresJournals(url), emptied(url)
    left(store)
    entries = lost.open(CONTACTS, 24, fresh=False)
    journal = Journal(entries, CONTACTS.binding, say=told.append)
    journal.add(ListEnded(b"list", ListOutcome(1)))
    ((session,),) = lost.execute("SELECT pg_backend_pid()")
    change(url, "SELECT pg_terminate_backend(%s)", session)
    until(lambda: store.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", session) == [])
    before = found(store)
    assert len(before) == 2
    journal.add(ListEnded(b"list", ListOutcome(2)))
    assert told == [f"what is read from now on is not saved for resuming ({lost._failed})"]
    with pytest.raises(ReadError, match=r"cannot be read .*; run again"):
        journal.page(1)
    journal.remove()
    lost.close()
    assert found(store) == before
    store.close()


def test_a_database_that_cannot_be_reached_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store, told = PostgresJournals("postgresql://loader:s3cret@127.0.0.1:1/none"), list[str]()
    tries = []
    monkeypatch.setattr(journals, "connect", lambda url: tries.append(url) or connect(url))
    for _ in range(3):
        with pytest.raises(OSError, match=r"PostgreSQL of the Dagster instance: connection .* failed") as raised:
            store.open(CONTACTS, 24, fresh=False)
        told.append(str(raised.value))
    assert store.left_by("crm"), "what is not known may be"
    assert len(tries) == 1
    assert "s3cret" not in "".join(told)
    store.close()


def test_a_lost_machines_journals_are_free_before_its_run_counts_as_abandoned(url: str) -> None:
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
    settings = f"SELECT {', '.join(f'(SELECT setting::int FROM pg_settings WHERE name = {name!r})' for name in names)}"
    with closing(PostgresJournals(url)) as store, closing(connect(url)) as run_lock, run_lock.cursor() as cursor:
        ((idle, interval, count, unacknowledged),) = store.execute(settings)
        cursor.execute(settings)
        _, of_runs, often, _ = cursor.fetchone()
    assert 0 < idle + interval * count < of_runs * often
    assert 0 < unacknowledged < of_runs * often * 1000


class FullForAMoment(JournalFile):
    """A file on a disk that is full for one entry, and slow, so that the next ones wait to be written."""

    appended = 0

    def append(self, entry: bytes) -> int:
        self.appended += 1
        if self.appended == 2:
            time.sleep(0.1)
            raise OSError(28, "No space left on device")
        return super().append(entry)


def test_nothing_is_written_behind_an_entry_that_could_not_be(tmp_path: Path) -> None:
    told: list[str] = []
    with ThreadPoolExecutor(1) as writer:
        journal = Journal(FullForAMoment(tmp_path / "journal"), "b", say=told.append, writer=writer)
        for name in (b"first", b"second", b"third"):
            journal.add(ListEnded(name, ListOutcome(1)))
        journal.close()
    assert told == ["what is read from now on is not saved for resuming (No space left on device)"]
    kept = Journal(JournalFile(tmp_path / "journal"), "b")
    assert not any(kept.kept(name).outcome for name in (b"first", b"second", b"third"))
    kept.close()


def test_an_entry_that_cannot_be_written_down_ends_the_journal_and_nothing_else(tmp_path: Path) -> None:
    """A server may report any number."""
    told: list[str] = []
    with ThreadPoolExecutor(1) as writer:
        journal = Journal(JournalFile(tmp_path / "a"), "binding", say=told.append, writer=writer)
        for total in (10**25, 1):
            journal.add(ListEnded(b"list", ListOutcome(1, reported_total=total)))
        journal.close()
    assert told == ["what is read from now on is not saved for resuming (can't serialize ints < -2**63 or > 2**64 - 1)"]
    kept = Journal(JournalFile(tmp_path / "a"), "binding")
    assert not kept.resumed
    kept.close()
