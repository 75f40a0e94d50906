"""The DuckDB file and the data folder: writers and readers wait for each other, nothing is lost, nobody else reads."""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from crm_assets.warehouse.duckdb_file import DuckDbFile
from crm_assets.warehouse.errors import WarehouseError
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.conftest import Build
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import Installation, Result, dates, failure
from crm_assets_tests.writers import CONNECTION, read_at_once

HOLD = """
import sys, time, duckdb
database = duckdb.connect(sys.argv[1])
print("open", flush=True)
time.sleep(float(sys.argv[2]))
"""
KEEP = """
import sys, time
from pathlib import Path
from crm_assets.warehouse.warehouse import Warehouse
with Warehouse(Path(sys.argv[1])).working_folder() as folder:
    (folder / "staged.parquet").write_text("rows")
    print(folder, flush=True)
    time.sleep(60)
"""


@contextmanager
def program(text: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a Python program until the context ends; yield it and its first line."""
    with subprocess.Popen([sys.executable, "-c", text, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def messages(house: Installation, result: Result) -> str:
    return "\n".join(entry.user_message for entry in house.instance.all_logs(result.run_id))


def test_writers_in_several_processes_wait_for_each_other(
    house: Build, served: tuple[FaultySandbox, str], tmp_path: Path
) -> None:
    here = house(CONNECTION)
    days = [day.isoformat() for day in dates()][:6]
    address, folder = served[1], str(tmp_path / "data")
    assert read_at_once([(address, folder, "duckdb", days[start::3]) for start in range(3)]) == []
    assert here.table(CONNECTION, "visits") == here.truth(CONNECTION, "visits", dates()[0], dates()[5])
    reads = here.query(f"SELECT date_range, complete FROM {CONNECTION}._reads WHERE resource = 'visits'")
    assert sorted((read["date_range"], read["complete"]) for read in reads) == [(day, True) for day in days]
    assert list((tmp_path / "data" / "runs").iterdir()) == []


def test_a_run_waits_until_another_program_closes_the_file(
    paging: Installation, sandbox: FaultySandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.state = 1
    with program(HOLD, str(paging.warehouse.database), "60") as (process, _):
        take = paging.instance.handle_new_event

        def close_when_told(event: dg.EventLogEntry, **given: Any) -> None:
            take(event, **given)
            if "waiting until it is closed" in event.user_message:
                process.kill()

        monkeypatch.setattr(paging.instance, "handle_new_event", close_when_told)
        result = paging.materialize("paging/by_page")
    assert result.success, failure(result)
    told = messages(paging, result)
    assert told.count("waiting until it is closed") == 1
    assert f"process {process.pid}" in told
    assert paging.table("paging", "by_page", "_deleted_at IS NULL") == paging.truth("paging", "by_page")


def test_a_run_gives_up_on_a_file_that_stays_open_and_loses_nothing(
    house: Build, paging: Installation, sandbox: FaultySandbox
) -> None:
    before = paging.snapshot("paging")
    impatient = house("paging", folder=paging.folder, patience=0.5)
    sandbox.state = 1
    with program(HOLD, str(paging.warehouse.database), "60") as (process, _):
        started = time.monotonic()
        result = impatient.materialize("paging/by_page")
        assert time.monotonic() - started < 20
    assert not result.success
    assert failure(result).startswith(f"{paging.warehouse.database} is open in another program (")
    assert failure(result).endswith(
        f"process {process.pid}), and was not closed within 0.5 seconds. "
        "Close it there (a notebook, a database tool) and run again; nothing was changed."
    )
    assert paging.snapshot("paging") == before
    assert impatient.materialize("paging/by_page").success
    assert paging.table("paging", "by_page", "_deleted_at IS NULL") == paging.truth("paging", "by_page")


def test_a_run_gives_up_on_a_writer_that_never_ends(tmp_path: Path) -> None:
    said: list[str] = []
    here = Warehouse(tmp_path / "data", patience=0.1)
    with here.session("one", tmp_path, said.append):
        late = Warehouse(tmp_path / "data", patience=0.1)
        with (
            pytest.raises(WarehouseError, match="Another run has been writing to the warehouse for too long"),
            late.session("two", tmp_path, said.append),
        ):
            pytest.fail("two sessions at once")
    assert said == ["Another run is writing to the warehouse; waiting for it."]


def test_working_folders_of_killed_runs_are_swept_and_those_of_living_ones_are_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with program(KEEP, str(data)) as (living, living_folder), program(KEEP, str(data)) as (killed, killed_folder):
        killed.kill()
        killed.wait()
        assert (Path(killed_folder) / "staged.parquet").exists()
        with Warehouse(data).working_folder() as own:
            assert own.exists()
            assert not Path(killed_folder).exists()
            assert (Path(living_folder) / "staged.parquet").exists()
            assert living.poll() is None
        assert not own.exists()


def test_nobody_else_can_look_into_the_data_folder(house: Build) -> None:
    here = house("sales_engagement")
    assert here.materialize("sales_engagement/campaigns").success
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (here.folder, *here.folder.iterdir())}
    folders = {path.name for path in here.folder.iterdir() if path.is_dir()} | {here.folder.name}
    assert folders >= {"data", "runs", "budgets"}
    assert {modes[name] for name in folders} == {0o700}
    with here.warehouse.working_folder() as own:
        assert stat.S_IMODE(own.stat().st_mode) == 0o700


def test_a_file_that_is_no_database_is_told(house: Build) -> None:
    here = house("sales_engagement")
    here.folder.mkdir()
    here.warehouse.database.write_text("this is no database " * 1000)
    result = here.materialize("sales_engagement/campaigns")
    assert not result.success
    assert str(here.warehouse.database) in failure(result)
    assert "\n" not in failure(result)
    assert here.warehouse.database.read_text().startswith("this is no database")


def test_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file")
    with (
        pytest.raises(WarehouseError, match=r"The data folder .*occupied/data cannot be written: Not a directory\."),
        Warehouse(tmp_path / "occupied" / "data").working_folder(),
    ):
        pytest.fail("there is no folder to work in")


def test_a_load_leaves_every_schema_alone_but_its_own(paging: Installation) -> None:
    paging.change("CREATE SCHEMA paging_staging; CREATE TABLE paging_staging.stg_whole AS SELECT * FROM paging.whole")
    before = paging.query("SELECT * FROM paging_staging.stg_whole ORDER BY id")
    schemas = paging.query("SELECT schema_name FROM information_schema.schemata ORDER BY ALL")
    assert paging.materialize("paging/whole", "paging/by_page").success
    assert paging.query("SELECT * FROM paging_staging.stg_whole ORDER BY id") == before
    assert paging.query("SELECT schema_name FROM information_schema.schemata ORDER BY ALL") == schemas


def test_a_list_whose_load_fails_costs_its_siblings_nothing(paging: Installation) -> None:
    paging.change("UPDATE paging.whole SET _read_id = CAST(id AS VARCHAR)")
    paging.change("CREATE UNIQUE INDEX refuses_all_rows ON paging.whole (_read_id)")
    before = paging.snapshot("paging")["whole"]
    result = paging.materialize("paging/by_page", "paging/whole", "paging/sibling")
    names = {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}
    assert names == {"by_page", "sibling"}
    assert "paging.whole could not be written: " in failure(result)
    assert "Its rows are as they were." in failure(result)
    assert paging.snapshot("paging")["whole"] == before
    last = paging.query("SELECT complete, reason FROM paging._reads WHERE resource = 'whole' ORDER BY finished_at")[-1]
    assert (last["complete"], "could not be written" in last["reason"]) == (False, True)


def test_the_file_is_one_that_every_duckdb_since_1_0_opens(paging: Installation) -> None:
    told = paging.query("SELECT tags['storage_version'] AS version FROM duckdb_databases() WHERE path IS NOT NULL")
    assert told == [{"version": "v1.0.0+"}]


def test_a_file_of_another_format_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path), config={"storage_compatibility_version": "latest"}) as made:
        made.execute("CREATE TABLE here AS SELECT 1 AS one")
    with DuckDbFile(path, patience=1).open(print) as opened:
        assert opened.execute("FROM here").fetchall() == [(1,)]


def test_a_file_that_a_notebook_has_open_in_this_process_is_named(tmp_path: Path) -> None:
    path, told = tmp_path / "warehouse.duckdb", list[str]()
    with duckdb.connect(str(path)) as notebook:
        notebook.execute("CREATE TABLE here AS SELECT 1 AS one")
        with pytest.raises(WarehouseError, match="is open in another program \\(this process\\)"):
            DuckDbFile(path, patience=0.1).open(told.append).__enter__()
    with DuckDbFile(path, patience=0.1).open(told.append) as opened:
        assert opened.execute("FROM here").fetchall() == [(1,)]
    assert len(told) == 1
