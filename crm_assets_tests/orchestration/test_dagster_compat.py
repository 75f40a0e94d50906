"""Dagster's private names: gathered in three modules, and each does what we use it for."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

import dagster as dg
import pytest

import crm_assets
from crm_assets.orchestration import dagster_compat
from crm_assets.orchestration.sqlite_storage import BatchingEventLogStorage, BatchingSqliteStorage

PRIVATE = re.compile(r"^\s*(?:from|import) dagster\._", re.MULTILINE)


def test_private_names_are_imported_in_three_modules_alone() -> None:
    folder = Path(crm_assets.__file__).parent
    importing = {path.name for path in folder.rglob("*.py") if PRIVATE.search(path.read_text(encoding="utf-8"))}
    assert importing == {"dagster_compat.py", "sqlite_creation.py", "sqlite_storage.py"}


def test_asset_jobs_are_of_the_type_we_name() -> None:
    assert isinstance(dg.define_asset_job("job"), dagster_compat.UnresolvedAssetJobDefinition)


def test_ticks_follow_the_clock_of_the_zone() -> None:
    start = datetime(2024, 3, 30, tzinfo=timezone.utc)
    ticks = [tick.isoformat() for tick in islice(dagster_compat.ticks("15 4 * * *", "Europe/Berlin", start), 2)]
    assert ticks == ["2024-03-30T04:15:00+01:00", "2024-03-31T04:15:00+02:00"]


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("[tool.dagster]\nmodule_name = 'acme.location'\n", ["acme.location"]),
        ("[tool.dg.project]\nroot_module = 'acme'\n", ["acme.definitions"]),
        ("[project]\nname = 'acme'\n", []),
        (None, []),
    ],
)
def test_a_project_names_its_modules(tmp_path: Path, text: str | None, modules: list[str]) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert dagster_compat.modules_of_project(tmp_path / "pyproject.toml") == modules


def test_checks_are_told_apart_from_other_events() -> None:
    assert dg.DagsterEventType.ASSET_CHECK_EVALUATION in dagster_compat.ASSET_CHECK_EVENTS
    assert dg.DagsterEventType.ASSET_MATERIALIZATION not in dagster_compat.ASSET_CHECK_EVENTS


@pytest.mark.parametrize("storage", ["sqlite", "custom"])
def test_only_sqlite_has_settings_of_sqlite(tmp_path: Path, storage: str) -> None:
    custom = "{module: crm_assets.orchestration.sqlite_storage, class: BatchingSqliteStorage, config: {base_dir: x}}"
    part = f"{{base_dir: {tmp_path}}}" if storage == "sqlite" else custom
    (tmp_path / "dagster.yaml").write_text(f"storage: {{{storage}: {part}}}\n", encoding="utf-8")
    expected = {"base_dir": str(tmp_path)} if storage == "sqlite" else None
    assert dagster_compat.sqlite_config(tmp_path) == expected


def test_the_storage_overrides_what_dagster_calls(tmp_path: Path) -> None:
    base = BatchingEventLogStorage.__base__
    assert all(hasattr(base, name) for name in ("store_event_batch", "prepare_insert_event", "store_asset_event_tags"))
    assert isinstance(BatchingSqliteStorage(str(tmp_path)).event_log_storage, BatchingEventLogStorage)


def test_an_expected_failure_is_a_sentence_without_a_stack() -> None:
    @dg.op
    def step() -> None:
        raise dagster_compat.ExpectedError("The key was refused.", {"contacts": "401"}, allow_retries=False)

    @dg.job
    def job() -> None:
        step()

    result = job.execute_in_process(raise_on_error=False)
    (event,) = result.get_step_failure_events()
    data = event.step_failure_data
    assert data.error
    assert (data.error.message, data.error.stack, data.error.cause) == ("The key was refused.\n", [], None)
    assert data.user_failure_data
    assert data.user_failure_data.description == "The key was refused."
