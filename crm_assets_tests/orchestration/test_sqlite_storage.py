"""Events in batches: Dagster's own storage and ours hold the same, and the commands use ours."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from crm_assets.commands.dagster_home import TEMPLATE, open_instance
from crm_assets.orchestration import sqlite_storage
from crm_assets.orchestration.sqlite_storage import BatchingEventLogStorage

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-03-01")
CHOSEN = DAYS.get_partition_keys()[3:20]
KEYS = [dg.AssetKey("days"), dg.AssetKey("more")]
CHECKS = ["fine", "poor"]


@dg.multi_asset(
    specs=[dg.AssetSpec(key, partitions_def=DAYS) for key in KEYS],
    check_specs=[dg.AssetCheckSpec(name, asset="days") for name in CHECKS],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def both(context: dg.AssetExecutionContext) -> Any:
    for key in KEYS:
        context.add_asset_metadata({"rows": 3}, asset_key=key, partition_key=context.partition_keys[0])
        yield dg.MaterializeResult(asset_key=key, metadata={"size": 7})
    for name in CHECKS:
        yield dg.AssetCheckResult(passed=name == "fine", asset_key="days", check_name=name)


def run(instance: dg.DagsterInstance) -> list[Any]:
    """Run a range of partitions and one of them once more; return what the instance then says of them."""
    tags = {"dagster/asset_partition_range_start": CHOSEN[0], "dagster/asset_partition_range_end": CHOSEN[-1]}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    results = [
        dg.materialize([both], instance=instance, tags=tags, run_config=quiet),
        dg.materialize([both], instance=instance, partition_key=CHOSEN[0], run_config=quiet),
    ]
    found: list[Any] = []
    for key in KEYS:
        latest = instance.get_latest_materialization_event(key)
        assert latest
        assert latest.run_id == results[-1].run_id
        records = instance.fetch_materializations(key, limit=100).records
        found += [
            sorted(instance.get_materialized_partitions(key)),
            [
                (one.partition_key, sorted(one.asset_materialization.metadata))
                for one in records
                if one.asset_materialization
            ],
            instance.get_status_by_partition(key, DAYS.get_partition_keys(), DAYS),
            latest.asset_materialization.tags.keys() if latest.asset_materialization else None,
        ]
    for name in CHECKS:
        history = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(KEYS[0], name), 100)
        found.append([(one.status, one.partition, one.evaluation is None) for one in history])
    for result in results:
        kinds = [event.dagster_event_type for event in instance.all_logs(result.run_id)]
        found.append({kind: kinds.count(kind) for kind in set(kinds)})
    return found


def test_both_storages_hold_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    (tmp_path / "plain").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "plain")) as instance:
        expected = run(instance)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "5")
    with open_instance(tmp_path / "data") as instance:
        assert isinstance(instance.event_log_storage, BatchingEventLogStorage)
        assert run(instance) == expected
    with dg.DagsterInstance.local_temp(str(tmp_path / "data" / "dagster")) as instance:
        assert sorted(instance.get_materialized_partitions(KEYS[0])) == CHOSEN


@dg.multi_asset(
    specs=[dg.AssetSpec("fails", partitions_def=DAYS)],
    check_specs=[dg.AssetCheckSpec("planned", asset="fails")],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def fails() -> Any:
    yield int("fails")


def planned(instance: dg.DagsterInstance) -> list[Any]:
    """Run a range of partitions, which fails; return what is stored of the check that was planned."""
    tags = {"dagster/asset_partition_range_start": CHOSEN[0], "dagster/asset_partition_range_end": CHOSEN[-1]}
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    result = dg.materialize([fails], instance=instance, tags=tags, run_config=quiet, raise_on_error=False)
    storage: Any = instance.event_log_storage
    with storage.index_connection() as connection:
        rows = connection.exec_driver_sql(
            "SELECT checks.*, logged.event FROM asset_check_executions AS checks "
            "JOIN event_logs AS logged ON logged.id = evaluation_event_storage_id ORDER BY checks.partition"
        )
        return [plan(dict(row), result.run_id) for row in rows.mappings()]


def plan(row: dict[str, Any], run_id: str) -> dict[str, Any]:
    """Return a stored row without what varies from run to run."""
    text, moment = row.pop("evaluation_event"), row.pop("evaluation_event_timestamp")
    event = dg.deserialize_value(text, dg.EventLogEntry)
    assert (row.pop("event"), row.pop("run_id")) == (text, event.run_id) == (text, run_id)
    assert datetime.fromisoformat(f"{moment}+00:00") == datetime.fromtimestamp(event.timestamp, timezone.utc)
    del row["evaluation_event_storage_id"], row["create_timestamp"]
    return {**row, "planned": event.get_dagster_event().event_specific_data}


def test_both_storages_plan_checks_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    (tmp_path / "plain").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "plain")) as instance:
        expected = planned(instance)
    assert [row["partition"] for row in expected] == CHOSEN
    written: list[Any] = []

    def noted(event: Any) -> str:
        written.append(event)
        return serialized(event)

    serialized = dg.serialize_value
    monkeypatch.setattr(sqlite_storage.dg, "serialize_value", noted)
    with open_instance(tmp_path / "data") as instance:
        assert planned(instance) == expected
    assert len(written) == 1, "the event is written out once for all partitions"


def test_a_run_waits_for_others_that_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own five seconds are over when six connections with a thousand partitions load at the same time."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with open_instance(tmp_path) as instance:
        storage: Any = instance.event_log_storage
        for opened in (storage.index_connection(), storage.run_connection("9f1c7c1e-2b7e-4a53-a2ec-0d5a3a8c7f10")):
            with opened as connection:
                assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000
                assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1  # normal: the log is not flushed


def test_the_folder_of_other_settings_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    settings = {"storage": {"sqlite": {"base_dir": str(tmp_path / "own")}}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    with open_instance(tmp_path / "data") as instance:
        assert isinstance(instance.event_log_storage, BatchingEventLogStorage)
    assert (tmp_path / "own" / "history" / "runs" / "index.db").is_file()


def test_the_settings_of_a_new_folder_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"storage": settings["storage"]}) as instance:
        assert isinstance(instance.event_log_storage, BatchingEventLogStorage)
