"""Reads that were interrupted: what they brought is kept, trusted within bounds, and never asked for again."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from filelock import FileLock

from crm_assets.date_range import DateRange
from crm_assets.declarations import Connection, load_connections
from crm_assets.extract.fetch import ReadResult, fetch
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.journal_storage.journal_file import JournalFile
from crm_assets.extract.read_report import ReadTask
from crm_assets.extract.resume.journal import Journal
from crm_assets.extract.resume.journals import Journals
from crm_assets.extract.shared_state import FileState, SharedState
from crm_assets.extract.staging import decode_queue
from crm_assets.extract.staging.staged_rows import StagedRows
from crm_assets_tests.away_server import SYSTEM, AwayServer, away_server
from crm_assets_tests.reliability import times

DAYS = [*DateRange(date(2026, 1, 1), date(2026, 3, 1)).split("daily")]


@pytest.fixture
def server() -> Iterator[AwayServer]:
    with away_server() as running:
        yield running


@pytest.fixture
def reading(server: AwayServer, tmp_path: Path) -> Reading:
    return Reading(server, tmp_path, FileState(tmp_path))


class Reading:
    """Runs one after the other that share a state."""

    def __init__(self, server: AwayServer, folder: Path, state: SharedState) -> None:
        self.server = server
        self.folder = folder
        self.state = state
        self.told: list[str] = []
        self.secret = "t0k3n-of-this-account"
        self.connection = self.declared(SYSTEM)
        self._runs = 0

    def declared(self, system: str) -> Connection:
        declared = Path(tempfile.mkdtemp(dir=self.folder))  # what is loaded from a path is remembered
        (declared / "things.yaml").write_text(system)
        (self.folder / "connections.yaml").write_text(
            f"{{systems: {declared}, connections: [{{name: crm, system: things}}]}}"
        )
        (loaded,) = load_connections(self.folder / "connections.yaml")
        return loaded.at(self.server.url)

    @property
    def journals(self) -> list[Path]:
        return sorted((self.folder / "resume").glob("*.journal"))

    def run(self, *names: str, stays: float = float("inf"), hours: float = 24, **given: Any) -> dict[str, ReadResult]:
        """Read resources, as one run does; the server goes away after some requests."""
        self._runs += 1
        self.server.asked.clear()
        self.server.stays = stays
        folder = self.folder / str(self._runs)
        folder.mkdir()
        tasks = [self.task(name) for name in names]
        journals = Journals(self.state.journals(), hours, log=self.told.append, **given)
        try:
            found = fetch(
                self.connection,
                tasks,
                {"token": self.secret},
                folder,
                RateLimiter(self.folder / "budget", None),
                journals=journals,
            )
            journals.settle({one.task.resource.name for one in found if not one.report.complete}, set())
        finally:
            journals.close()
        return {one.task.resource.name: one for one in found}

    def task(self, name: str) -> ReadTask:
        return ReadTask(self.connection.system.resource(name), date_ranges=tuple(DAYS) if name == "days" else ())


def ids(result: ReadResult) -> list[Any]:
    assert result.report.complete, result.report.reason
    assert result.staged is not None
    return sorted(row["id"] for table in result.staged.tables() for row in table.select(["id"]).to_pylist())


def test_lists_of_parents_that_were_read_to_their_end_are_not_asked_again(reading: Reading) -> None:
    assert not reading.run("contacts", "notes", stays=12 + 40)["notes"].report.complete
    assert len(reading.journals) == 1, "that of the loaded parent is gone"
    found = reading.run("contacts", "notes")
    assert ids(found["notes"]) == sorted(f"{parent}-{number}" for parent in range(1, 61) for number in (1, 2))
    lists = [target for target in reading.server.asked if target.endswith("/notes")]
    assert len(lists) <= 60 - 40 + reading.connection.concurrency
    assert found["notes"].report.resumed == f"resumed: {60 - len(lists)} of 60 lists were read before"
    assert found["notes"].report.requests == len(lists)
    assert not reading.journals


def test_windows_that_were_read_to_their_end_are_not_asked_again(reading: Reading) -> None:
    assert not reading.run("days", stays=30)["days"].report.complete
    found = reading.run("days")["days"]
    assert ids(found) == [str(day.start) for day in DAYS]
    assert len(reading.server.asked) <= len(DAYS) - 30 + reading.connection.concurrency


@pytest.fixture
def busy(server: AwayServer, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Make each page a batch, the first of which keeps the decoder busy until a server that goes away has gone."""
    is_busy, append, nothing = threading.Event(), StagedRows.append, pa.table({"n": pa.array([], pa.int64())})

    def slow_batches() -> Iterator[pa.RecordBatch]:
        is_busy.set()
        while 0 <= server.stays < float("inf"):
            time.sleep(0.01)
        time.sleep(0.2)
        yield from nothing.to_batches()

    def slowly(staged: StagedRows, *given: Any) -> None:
        if not is_busy.is_set():
            slow = pa.RecordBatchReader.from_batches(nothing.schema, slow_batches())
            staged._database.from_arrow(slow).fetchall()
        append(staged, *given)

    monkeypatch.setattr(decode_queue, "_PAGES_QUEUED", 1)
    monkeypatch.setattr(StagedRows, "append", slowly)
    return is_busy


def test_a_list_that_fails_while_its_pages_are_decoded_fails_alone(reading: Reading, busy: threading.Event) -> None:
    """DuckDB refuses to be closed while it is used."""
    assert "503" in reading.run("tickets", stays=1)["tickets"].report.reason
    assert busy.is_set()


@pytest.mark.parametrize("name", ["contacts", "tickets"])
def test_pages_of_counted_lists_are_not_asked_again(reading: Reading, name: str) -> None:
    assert not reading.run(name, stays=9)[name].report.complete
    began = datetime.now(timezone.utc)
    found = reading.run(name, hours=1e300)[name]
    assert ids(found) == [*range(1, 61)]
    assert not found.report.unproven
    assert found.report.started_at is not None
    assert found.report.started_at < began, "the read began with the run that was interrupted"
    pages = [target for target in reading.server.asked if f"/{name}" in target]
    assert len(pages) < 12
    assert found.report.pages_resumed >= 9 - 1 - reading.connection.concurrency


def test_a_list_that_grew_meanwhile_goes_on_and_is_proven(reading: Reading) -> None:
    reading.run("contacts", stays=9)
    reading.server.rows["contacts"] += [{"id": number} for number in range(61, 73)]
    found = reading.run("contacts")["contacts"]
    assert ids(found) == [*range(1, 73)]
    assert found.report.pages_resumed
    assert not found.report.moved + found.report.unproven


@pytest.mark.parametrize("name", ["contacts", "tickets"])
def test_a_list_whose_rows_moved_meanwhile_is_read_from_its_beginning(reading: Reading, name: str) -> None:
    reading.run(name, stays=9)
    del reading.server.rows[name][:3]
    found = reading.run(name)[name]
    assert ids(found) == [*range(4, 61)]
    assert not found.report.pages_resumed
    assert not found.report.unproven


def test_a_list_that_fails_once_more_at_the_same_page_is_read_from_its_beginning(reading: Reading) -> None:
    reading.run("tickets", stays=9)
    reading.server.status = 422
    assert not reading.run("tickets", stays=1)["tickets"].report.complete
    reading.run("tickets")
    assert len([target for target in reading.server.asked if target.endswith("offset=0")]) == 1


def test_nothing_is_kept_of_a_read_whose_records_are_at_fault(reading: Reading) -> None:
    reading.server.claims = 1
    assert "reports 61 records, but 60" in reading.run("teams")["teams"].report.reason
    assert not reading.journals


def test_a_server_that_stays_away_costs_nothing_that_was_read(reading: Reading) -> None:
    reading.run("tickets", stays=9)
    for _ in range(3):
        assert not reading.run("tickets", stays=0)["tickets"].report.complete
    assert ids(reading.run("tickets")["tickets"]) == [*range(1, 61)]
    assert "/tickets?size=5&offset=0" not in reading.server.asked


def everything_is_asked_again(reading: Reading, **given: Any) -> bool:
    found = reading.run("tickets", **given)["tickets"]
    assert ids(found) == [*range(1, 61)]
    return not found.report.pages_resumed and "/tickets?size=5&offset=0" in reading.server.asked


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"fresh": True}, False),
        ({"hours": 0}, True),
        ({"hours": 1e-6}, False),
        ({"destination": "postgres"}, True),
        ({"loaded": {"tickets": datetime.now(timezone.utc) + timedelta(hours=1)}}, False),
    ],
    ids=["fresh", "off", "expired", "another destination", "loaded since"],
)
def test_what_is_of_no_use_is_not_used(reading: Reading, given: dict[str, Any], kept: bool) -> None:
    reading.run("tickets", stays=9)
    assert everything_is_asked_again(reading, **given)
    assert bool(reading.journals) is kept


def test_another_declaration_or_account_has_nothing_of_the_old_one(reading: Reading) -> None:
    reading.run("tickets", stays=9)
    reading.secret = "t0k3n-of-another-account"
    assert everything_is_asked_again(reading)
    reading.secret = "t0k3n-of-this-account"
    reading.connection = reading.declared(SYSTEM.replace("note: text", "note: json"))
    assert everything_is_asked_again(reading)


def test_two_runs_at_once_do_not_share_a_journal(reading: Reading) -> None:
    reading.run("tickets", stays=9)
    (journal,) = reading.journals
    before = journal.read_bytes()
    with FileLock(journal.with_suffix(".lock")):
        assert everything_is_asked_again(reading)
    assert journal.read_bytes() == before
    assert "another run is reading the same" in reading.told[-1]
    assert not everything_is_asked_again(reading)


def scramble(content: bytearray, chance: random.Random, way: int) -> None:
    """Damage a journal's bytes in one of four ways: change one, cut them off, put some in between, replace them all."""
    place = chance.randrange(len(content))
    match way:
        case 0:
            content[place] ^= 1 + chance.randrange(255)
        case 1:
            del content[place:]
        case 2:
            content[place:place] = chance.randbytes(50)
        case _:
            content[:] = chance.randbytes(place)


def test_damaged_journals_have_no_power(reading: Reading) -> None:
    """Whatever stands in the file, a read is complete and right, and what was whole before the damage may be used."""
    chance = random.Random(7)
    reading.run("tickets", stays=9)
    (journal,) = reading.journals
    good = journal.read_bytes()
    for number in range(8):
        damaged = bytearray(good)
        scramble(damaged, chance, number % 4)
        journal.write_bytes(damaged)
        assert ids(reading.run("tickets")["tickets"]) == [*range(1, 61)]
    journal.write_bytes(good)
    assert not everything_is_asked_again(reading)


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"\x91" * 100_000,
        ["Began", "binding", datetime.fromisoformat("2026-01-01")],
        {"a": 1},
        ["Ended", b"list", [1]],
    ],
    ids=["nothing", "nested beyond measure", "without a zone", "no entry", "no beginning"],
)
def test_entries_of_another_kind_have_no_power(entry: object, tmp_path: Path) -> None:
    file = JournalFile(tmp_path / "journal")
    file.append(entry if isinstance(entry, bytes) else msgspec.msgpack.encode(entry))
    file.close()
    journal = Journal(JournalFile(tmp_path / "journal"), "binding")
    assert not journal.trusted
    assert not journal.resumed
    journal.close()


def test_a_journal_is_for_its_owner_alone_and_holds_no_secret(reading: Reading) -> None:
    reading.run("contacts", "notes", stays=30)
    (journal,) = reading.journals
    assert journal.stat().st_mode & 0o777 == 0o600
    assert journal.parent.stat().st_mode & 0o777 == 0o700
    assert reading.secret.encode() not in journal.read_bytes()


@pytest.mark.parametrize("name", ["contacts", "tickets"])
@pytest.mark.parametrize("number", range(times(3, 200)))
def test_nothing_is_missing_and_green_when_rows_move_between_interruptions(
    reading: Reading, name: str, number: int
) -> None:
    chance, rows = random.Random(f"{name} {number}"), reading.server.rows[name]
    there, new = {row["id"] for row in rows}, count(1000)
    while not (found := reading.run(name, stays=chance.choice([3, 8, 11, 1000]))[name]).report.complete:
        for _ in range(chance.randrange(3)):
            if chance.random() < 0.6:
                there.discard(rows.pop(chance.randrange(len(rows)))["id"])
            else:
                rows.insert(chance.choice([0, len(rows)]), {"id": next(new)})
    if not found.report.unproven:
        assert there <= set(ids(found))
