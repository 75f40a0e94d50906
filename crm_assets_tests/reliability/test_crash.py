"""kill -9 at any moment: nothing lost, nothing doubled, nothing left behind."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

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
    found = house.snapshot(connection).items() if house.warehouse.exists else ()
    return {name: {row.replace('"_deleted_at": true', '"_deleted_at": false') for row in rows} for name, rows in found}


def whole(before: set[str], after: set[str], found: set[str]) -> bool:
    """Tell whether a table holds a whole read: the old one, or all of the new one and at most old rows beside it."""
    return found == before or (after <= found <= before | after)


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("scene", SCENES)
def test_killed_at_random_moments(
    scene: str,
    number: int,
    sandbox: FaultySandbox,
    house: Build,
    job: MakeJob,
    connections: dict[str, Connection],
    undisturbed: dict[str, Path],
    tmp_path: Path,
) -> None:
    chance = random.Random(f"{scene} {number}")
    connection = only(connections[scene], *SCENES[scene])
    state = number % 2
    """Rounds begin with an empty warehouse and one that holds the day before, by turns."""
    mine = house(connection)
    if state:
        shutil.copytree(undisturbed[scene] / "0", mine.folder)
    before, sandbox.state = rows_of(mine, scene), state
    after = house(connection, folder=undisturbed[scene] / str(state))
    expected = after.snapshot(scene)
    new = rows_of(after, scene)
    for stage in chance.choices(STAGES, k=KILLS_PER_RERUN):
        Victim(job(connection)).kill(stage, chance.random() * 0.4)
        for name, rows in rows_of(mine, scene).items():
            assert whole(before.get(name, set()), new[name], rows), f"{name} is neither old nor new after {stage}"
    assert all(result.success for result in mine.load(scene))
    assert mine.snapshot(scene) == expected
    assert left_behind(mine) == []


@pytest.fixture(scope="module")
def undisturbed(
    served: tuple[FaultySandbox, str], connections: dict[str, Connection], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Warehouses of undisturbed runs: ``<folder>/0`` of the first day, ``<folder>/1`` of that and the next."""
    folders = {}
    for scene, names in SCENES.items():
        folder = folders[scene] = tmp_path_factory.mktemp(scene)
        for state in (0, 1):
            served[0].state = state
            if state:
                shutil.copytree(folder / "0", folder / "1")
            first = Installation(served[0], served[1], folder / str(state), [only(connections[scene], *names)])
            assert [failure(result) for result in first.load(scene) if not result.success] == []
        served[0].state = 0
    return folders
