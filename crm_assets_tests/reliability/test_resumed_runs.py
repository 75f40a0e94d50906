"""kill -9 of a sync at any moment: what it had read is there, and the next one does not ask for it again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest

from crm_assets.declarations import load_connections
from crm_assets.extract.journal_storage.journal_file import JournalFile
from crm_assets.orchestration.keys import FRESH_TAG
from crm_assets_tests.away_server import SYSTEM, AwayServer, away_server
from crm_assets_tests.reliability import times
from crm_assets_tests.reliability.conftest import own_house
from crm_assets_tests.reliability.killed_runs import Command, until

ROUNDS, KILLS = times(1, 100), times(1, 2)
"""In the long variant a run is killed twice before it is let alone: 200 kills."""
IN_FLIGHT = 8
"""Requests whose answers a kill may lose, and a few that only now are known to be needed."""
LOST = 4 * IN_FLIGHT
"""Pages that a kill may lose: those in flight, and of each of three lists as many that wait to be saved."""
TABLES = ("contacts", "notes", "tickets")
Start = Callable[..., Command]


@pytest.fixture
def server() -> Iterator[AwayServer]:
    with away_server() as running:
        running.seconds = 0.003
        yield running


@pytest.fixture
def start(server: AwayServer, tmp_path: Path) -> Iterator[Start]:
    (tmp_path / "declared").mkdir()
    (tmp_path / "declared" / "things.yaml").write_text(SYSTEM.replace("https://api.example.com", server.url))
    (tmp_path / "connections.yaml").write_text("{systems: declared, connections: [{name: crm, system: things}]}")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    settings = {
        "CRM_ASSETS_CONNECTIONS": str(tmp_path / "connections.yaml"),
        "CRM_ASSETS_DATA": str(tmp_path / "data"),
        "DAGSTER_HOME": str(tmp_path / "home"),
        "SOURCES__CRM__TOKEN": "t0k3n-of-this-account",
    }
    started: list[Command] = []

    def run(*arguments: str, **further: str) -> Command:
        selection = " or ".join(f'key:"crm/{name}"' for name in TABLES)
        given = {**settings, **further}
        started.append(Command(["sync", selection, *arguments], given, tmp_path / f"told{len(started)}"))
        return started[-1]

    yield run
    for command in started:
        command.process.kill()
        command.process.join()


def tables(folder: Path) -> dict[str, list[Any]]:
    """Return the keys in the tables, sorted."""
    if not (folder / "warehouse.duckdb").exists():
        return {}
    with duckdb.connect(str(folder / "warehouse.duckdb")) as warehouse:
        names = warehouse.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'crm'").fetchall()
        return {
            name: [key for (key,) in warehouse.execute(f"SELECT id FROM crm.{name} ORDER BY 1").fetchall()]
            for (name,) in names
            if name in TABLES
        }


def entries(folder: Path) -> int:
    """Return the number of entries in the journals, of which only what was being written may be broken."""
    count = 0
    for path in (folder / "resume").glob("*.journal"):
        file = JournalFile(path)
        count += len([*file.entries()])
        file.close()
    return count


def kill_after(command: Command, server: AwayServer, requests: int) -> None:
    """Kill a sync -9 when the server was asked so often, or at its end if that comes first."""
    wanted = len(server.asked) + requests
    until(lambda: len(server.asked) >= wanted or not command.process.is_alive())
    command.process.kill()
    command.process.join()


def others_in(database: str) -> int:
    """Return how many other clients a PostgreSQL database has."""
    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        (count,) = cursor.fetchone() or (0,)
        return int(count)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_killed_at_random_moments(server: AwayServer, start: Start, tmp_path: Path, number: int) -> None:
    chance, folder = random.Random(number), tmp_path / "data"
    expected = {
        "contacts": [*range(1, 61)],
        "tickets": [*range(1, 61)],
        "notes": sorted(f"{parent}-{note}" for parent in range(1, 61) for note in (1, 2)),
    }
    for _ in range(KILLS):
        kill_after(start(), server, chance.randrange(10, 50))
        answered = len(server.asked)
        found = tables(folder)
        assert all(rows == expected[name] or not rows for name, rows in found.items()), "a table is neither old nor new"
        if found.get("notes"):  # the kill came late: all was loaded, and the next run reads it again
            server.asked.clear()
        else:
            assert entries(folder) >= answered - LOST
    code, said = start().wait()
    assert code == 0, said
    assert tables(folder) == expected
    notes = Counter(target for target in server.asked if target.endswith("/notes"))
    assert notes.total() <= 60 + 2 * IN_FLIGHT
    assert not [*(folder / "resume").glob("*.journal")]
    assert "read before" in said or found.get("notes")


def test_a_run_whose_machine_died_goes_on_on_another_one(
    server: AwayServer, start: Start, tmp_path: Path, postgres: str
) -> None:
    storage = postgres.replace("postgresql:", "postgresql+psycopg2:")
    with (tmp_path / "home" / "dagster.yaml").open("a") as file:
        file.write(f"storage: {{postgres: {{postgres_url: '{storage}'}}}}\n")
    shared = {"CRM_ASSETS_DESTINATION": "postgres", "DESTINATION__POSTGRES__CREDENTIALS": postgres}
    kill_after(start(**shared), server, random.Random(3).randrange(45, 60))
    until(lambda: not others_in(postgres))  # the server notices a moment later, and frees the locks of the dead
    code, said = start(**shared, CRM_ASSETS_DATA=str(tmp_path / "another")).wait()
    assert code == 0, said
    assert "read before" in said
    assert len(server.asked) <= 13 + 13 + 60 + LOST, "what the first machine has read is not asked for again"
    with closing(psycopg2.connect(postgres)) as database, database.cursor() as cursor:
        for name in TABLES:
            cursor.execute(f"SELECT count(*), count(DISTINCT id) FROM crm.{name} WHERE _deleted_at IS NULL")
            assert cursor.fetchone() == ((120, 120) if name == "notes" else (60, 60))
        cursor.execute("SELECT count(*) FROM crm_assets_journals")
        assert cursor.fetchone() == (0,)
        cursor.execute("DROP SCHEMA crm CASCADE")
        database.commit()


def test_a_run_that_is_executed_again_goes_on_unless_it_is_to_begin_anew(
    server: AwayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__TOKEN", "t0k3n-of-this-account")
    (tmp_path / "declared").mkdir()
    (tmp_path / "declared" / "things.yaml").write_text(SYSTEM)
    (tmp_path / "connections.yaml").write_text("{systems: declared, connections: [{name: crm, system: things}]}")
    (connection,) = load_connections(tmp_path / "connections.yaml")
    house, kept = own_house(connection.at(server.url), tmp_path), tmp_path / "data" / "resume"
    for tags, most in (({}, 73 - 40 + IN_FLIGHT), ({FRESH_TAG: "true"}, 73)):
        server.stays = 40
        assert not house.materialize("crm/notes").success
        journals = sorted(path.name.split(".")[1] for path in kept.glob("*.journal"))
        assert journals == ["contacts", "notes"], "the keys of the parents are needed again"
        server.asked.clear()
        server.stays = float("inf")
        assert house.materialize("crm/notes", tags=tags).success
        assert not [*kept.glob("*.journal")]
        assert len(server.asked) <= most
    assert len(server.asked) == 73, "it began anew"
