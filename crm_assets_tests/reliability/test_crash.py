"""kill -9 at any moment: nothing lost, nothing doubled, nothing left behind."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock

from crm_assets.declarations.models.connection import Connection
from crm_assets_tests.conftest import Build, only
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import Installation, failure
from crm_assets_tests.reliability import times
from crm_assets_tests.reliability.conftest import MakeJob
from crm_assets_tests.reliability.killed_runs import STAGES, Victim

KILLS_PER_RERUN = 3
ROUNDS = times(1, 34)
"""Of each scene: 2 scenes, 1 round, 3 kills are 6 kills; the long variant kills 204 times."""
SCENES = {
    "service_crm": ("customers", "tickets", "appointments"),
    "visitor_analytics": ("accounts", "leads"),
}
"""A full refresh, a cursor and windows; a parent with its lists."""


Snapshot = dict[str, list[str]]


def left_behind(house: Installation) -> list[str]:
    """Return what a run must not leave: working folders, held locks, staging schemas."""
    found = [str(path) for path in (house.folder / "runs").iterdir()]
    for lock in house.folder.rglob("*.lock"):
        with FileLock(lock).acquire(timeout=0):
            pass
    schemas = house.query("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '%staging%'")
    return found + [row["schema_name"] for row in schemas]


def rows_of(house: Installation, connection: str) -> dict[str, set[str]]:
    """Return all rows of all tables, without marks of deletion."""
    return unmarked(house.snapshot(connection)) if house.warehouse.exists else {}


def unmarked(tables: Snapshot) -> dict[str, set[str]]:
    """Return rows without marks of deletion."""
    return {
        name: {row.replace('"_deleted_at": true', '"_deleted_at": false') for row in rows}
        for name, rows in tables.items()
    }


def whole(before: set[str], after: set[str], found: set[str]) -> bool:
    """Tell whether a table holds a whole read: the old one, or all of the new one and at most old rows beside it."""
    return found == before or (after <= found <= before | after)


def failures(results: list[dg.ExecuteInProcessResult]) -> list[str]:
    """Return what failed runs, in the failures' own words."""
    return [failure(result) for result in results if not result.success]


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("scene", SCENES)
def test_killed_at_random_moments(
    scene: str,
    number: int,
    sandbox: FaultySandbox,
    house: Build,
    job: MakeJob,
    connections: dict[str, Connection],
    undisturbed: Callable[[str], list[Snapshot]],
) -> None:
    chance = random.Random(f"{scene} {number}")
    connection = only(connections[scene], *SCENES[scene])
    state = number % 2
    """Rounds begin with an empty warehouse and one that holds the day before, by turns."""
    expected, mine = undisturbed(scene)[state], house(connection)
    if state:
        assert failures(mine.load(scene)) == []
    before, sandbox.state = rows_of(mine, scene), state
    new = unmarked(expected)
    for stage in chance.choices(STAGES, k=KILLS_PER_RERUN):
        Victim(job(connection)).kill(stage, chance.random() * 0.4)
        for name, rows in rows_of(mine, scene).items():
            assert whole(before.get(name, set()), new[name], rows), f"{name} is neither old nor new after {stage}"
    assert failures(mine.load(scene)) == []
    assert mine.snapshot(scene) == expected
    assert left_behind(mine) == []


@pytest.fixture
def undisturbed(
    house: Build, sandbox: FaultySandbox, connections: dict[str, Connection], tmp_path: Path, destination: str
) -> Callable[[str], list[Snapshot]]:
    """Return what reads a scene undisturbed: its rows on the first day, and after that on the next."""

    def read(scene: str) -> list[Snapshot]:
        if (scene, destination) not in _UNDISTURBED:
            first = house(only(connections[scene], *SCENES[scene]), folder=tmp_path / "undisturbed" / "data")
            found = []
            for sandbox.state in (0, 1):
                assert failures(first.load(scene)) == []
                found.append(first.snapshot(scene))
            first.clear()
            sandbox.state, _UNDISTURBED[scene, destination] = 0, found
        return _UNDISTURBED[scene, destination]

    return read


_UNDISTURBED: dict[tuple[str, str], list[Snapshot]] = {}
"""Read once for all rounds."""
