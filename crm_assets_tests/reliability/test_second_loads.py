"""Second loads that die between any two statements: looked at at once, before anything is mended.

Every table must be its old self or the new one, and the read log must agree with it.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from crm_assets.commands.local_postgres import programs
from crm_assets.declarations.connection_overrides import apply_connection
from crm_assets.declarations.models.connection import Connection
from crm_assets.warehouse.session import WarehouseSession
from crm_assets_tests.conftest import only
from crm_assets_tests.faults import Fault, FaultySandbox
from crm_assets_tests.installation import Installation, failure
from crm_assets_tests.postgres import URL, PostgresHouse, administer
from crm_assets_tests.reliability import times
from crm_assets_tests.reliability.conftest import MakeJob
from crm_assets_tests.reliability.killed_runs import Victim

SCENES: dict[str, tuple[str, tuple[str, ...], tuple[Fault, ...]]] = {
    "marks": ("service_crm", ("customers",), ()),
    "changes": ("service_crm", ("tickets",), ()),
    "windows": ("service_crm", ("appointments",), ()),
    "rejects": ("paging", ("by_page", "whole"), (Fault("null_id", "paging", "by_page"),)),
}
"""A full refresh with rows that vanished, changes and windows with versions of rows, and records without a key."""
DESTINATIONS = ("duckdb", *(["postgres"] if programs() else []))
EVERY = times(30, 1)
"""Of the statements of a load, kill at each of so many: the suite leaves some out."""
Snapshot = dict[str, list[str]]


def die_before(statement: int) -> None:
    """Let the process be killed before it runs its so-manieth statement that writes."""
    write, seen = WarehouseSession.write, iter(range(1, 10_000))

    def counted(*args: Any) -> None:
        if next(seen) == statement:
            os.kill(os.getpid(), signal.SIGKILL)
        write(*args)

    WarehouseSession.write = counted  # type: ignore[method-assign]


@dataclass
class Stage:
    """A warehouse that was loaded once, to be put back before each kill."""

    house: Installation
    restore: Callable[[], None]
    connection: Connection

    def look(self) -> tuple[Snapshot, dict[str, set[str]], dict[str, set[str]]]:
        """Return all rows, the reads that brought them, and the reads that the log calls complete."""
        name = self.connection.name
        rows = self.house.snapshot(name)
        brought = {
            table: {row["_read_id"] for row in self.house.query(f'SELECT DISTINCT _read_id FROM "{name}"."{table}"')}
            for table in rows
        }
        logged: dict[str, set[str]] = {}
        for row in self.house.query(f"SELECT resource, read_id FROM {name}._reads WHERE complete"):
            logged.setdefault(row["resource"], set()).add(row["read_id"])
        return rows, brought, logged


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize("scene", SCENES)
def test_killed_between_two_statements(
    scene: str,
    destination: str,
    sandbox: FaultySandbox,
    job: MakeJob,
    make_stage: Callable[[str, str], Stage],
) -> None:
    stage = make_stage(scene, destination)
    sandbox.state = 1
    sandbox.faults.push(*SCENES[scene][2])
    before, _, old_log = stage.look()
    failed = {failure(result) for result in stage.house.load(stage.connection.name) if not result.success}
    after, _, _ = stage.look()
    assert before != after, f"the second load has to change something: {failed}"
    kills = 0
    for statement in range(1, 200, EVERY):
        stage.restore()
        order = job(stage.connection, destination=destination, before=partial(die_before, statement))
        victim = Victim(replace(order, environment={**order.environment, URL: os.environ.get(URL, "")}))
        victim.process.join(120)
        found, brought, logged = stage.look()
        for table, rows in found.items():
            where = f"{table}, killed before statement {statement}"
            assert rows in (before.get(table, []), after[table]), where
            resource = table.removesuffix("__rejected").removesuffix("__history")
            assert brought[table] <= logged[resource], f"{where}: rows of a read that the log does not know"
            if rows != after[table]:
                assert logged[resource] == old_log[resource], f"{where}: a read is logged whose rows are missing"
        if victim.process.exitcode != -signal.SIGKILL:
            break
        kills += 1
    assert kills >= max(5 // EVERY, 1), "the load has to die at several statements"
    assert found == after
    schemas = stage.house.query("SELECT schema_name FROM information_schema.schemata")
    assert [row["schema_name"] for row in schemas if row["schema_name"].startswith("crm_assets_")] == []


@pytest.fixture
def make_stage(
    sandbox: FaultySandbox,
    served: tuple[FaultySandbox, str],
    connections: dict[str, Connection],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Callable[[str, str], Stage]:
    """Return what loads a scene's first day and can bring it back."""

    def make(scene: str, destination: str) -> Stage:
        name, resources, _ = SCENES[scene]
        kept = resources if scene in ("changes", "windows") else ()
        connection = only(apply_connection(connections[name].model_copy(update={"history": kept})), *resources)
        folder = tmp_path / "data"
        house_class, restore = Installation, _restore_folder
        if destination == "postgres":
            request.getfixturevalue("own_database")
            house_class, restore = PostgresHouse, _restore_database
        house = house_class(*served, folder, [connection], destination=destination)
        assert all(result.success for result in house.load(name))
        return Stage(house, restore(folder), connection)

    return make


def _restore_folder(folder: Path) -> Callable[[], None]:
    kept = Path(shutil.copytree(folder, folder.with_name("kept")))

    def restore() -> None:
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)

    return restore


def _restore_database(_folder: Path) -> Callable[[], None]:
    server, _, name = os.environ[URL].rpartition("/")

    def copy(source: str, copied: str) -> None:
        administer(
            f"{server}/",
            f"DROP DATABASE IF EXISTS {copied} WITH (FORCE)",
            f"CREATE DATABASE {copied} TEMPLATE {source}",
        )

    copy(name, "kept")
    return lambda: copy("kept", name)
