"""One Dagster instance for all commands, and what its storage takes."""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pytest
import yaml

from crm_assets.commands.dagster_home import TEMPLATE, dagster_home, open_instance
from crm_assets.errors import CommandError
from crm_assets_tests.commands.conftest import ROOT, Desk


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder without a DAGSTER_HOME."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(home: Path) -> dict[str, object]:
    found = yaml.safe_load((home / "dagster.yaml").read_text())
    assert isinstance(found, dict)
    return found


def test_the_checkout_has_the_settings_of_a_new_folder() -> None:
    assert (ROOT / "dagster.yaml").read_text() == TEMPLATE.read_text(encoding="utf-8")


def test_the_instance_is_in_the_data_folder_and_sends_no_telemetry(folder: Path) -> None:
    home = dagster_home(Path("data"))
    assert home == folder / "data" / "dagster"
    assert settings(home)["telemetry"] == {"enabled": False}
    assert "storage" not in settings(home)
    instance = open_instance(Path("data"))
    assert not instance.telemetry_enabled
    instance.dispose()
    assert (home / "history" / "runs.db").exists()


def test_dagster_dev_in_this_folder_uses_the_same_databases(folder: Path) -> None:
    import dagster as dg
    from dagster._cli.utils import get_possibly_temporary_instance_for_cli

    (folder / "dagster.yaml").write_text(TEMPLATE.read_text(encoding="utf-8"))
    with get_possibly_temporary_instance_for_cli("dagster dev") as served:
        served.add_dynamic_partitions("days", ["2026-11-01"])
    ours = open_instance(Path("data"))
    assert isinstance(ours, dg.DagsterInstance)
    assert list(ours.get_dynamic_partitions("days")) == ["2026-11-01"]
    ours.dispose()


def test_settings_follow_the_file_of_the_working_folder(folder: Path) -> None:
    dagster_home(Path("data"))
    own = (
        "concurrency: {runs: {max_concurrent_runs: 3}}\nstorage: {postgres: {postgres_url: 'postgresql://db/dagster'}}"
    )
    (folder / "dagster.yaml").write_text(own)
    assert settings(dagster_home(Path("data"))) == yaml.safe_load(own)


def test_a_driver_that_is_not_installed_is_named_with_what_to_do(folder: Path) -> None:
    (folder / "dagster.yaml").write_text("storage: {postgres: {postgres_url: 'postgresql+psycopg://db/dagster'}}")
    with pytest.raises(
        CommandError, match=r"No module named 'psycopg'\. Write its postgres_url as postgresql\+psycopg2"
    ):
        open_instance(Path("data"))


def test_a_file_somebody_wrote_into_the_data_folder_stays(folder: Path) -> None:
    home = dagster_home(Path("data"))
    (home / "dagster.yaml").write_text("telemetry: {enabled: true}\n")
    assert settings(dagster_home(Path("data"))) == {"telemetry": {"enabled": True}}


def test_a_home_of_ones_own_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "mine").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "mine"))
    assert dagster_home(Path("data")) == folder / "mine"
    assert list(folder.iterdir()) == [folder / "mine"]
    assert list((folder / "mine").iterdir()) == []


@pytest.mark.parametrize("home", ["nowhere", "/nowhere/at/all"])
def test_a_home_that_is_not_there_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("DAGSTER_HOME", home)
    with pytest.raises(CommandError, match=f"DAGSTER_HOME is '{home}'; expected the absolute path of an existing"):
        dagster_home(Path("data"))


def test_a_settings_file_that_is_not_yaml_is_one_sentence(folder: Path) -> None:
    (folder / "dagster.yaml").write_text("a: [")
    with pytest.raises(CommandError, match=r"dagster\.yaml is not valid YAML"):
        dagster_home(Path("data"))


def without_home(desk: Desk, data: Path) -> Desk:
    environment = {name: value for name, value in desk.environment.items() if not name.startswith("DAGSTER")}
    return Desk(environment | {"CRM_ASSETS_DATA": str(data)}, data, desk.sandbox)


def test_a_report_is_of_the_last_sync_and_the_terminal_is_quiet(desk: Desk, tmp_path: Path) -> None:
    mine = without_home(desk, tmp_path / "data")
    assert "nothing to report yet" in mine.types("crm-assets report").stderr
    done = mine.types("crm-assets sync 'group:sales_engagement'")
    assert (done.returncode, done.stderr) == (0, "")
    assert "elemetry" not in done.stdout
    report = mine.types("crm-assets report")
    assert (report.returncode, report.stderr) == (0, "")
    assert "2 of " in report.stdout


def test_a_sync_leaves_room_on_a_postgres_instance(desk: Desk, tmp_path: Path, own_database: str) -> None:
    """Each storage operation of Dagster's opens a connection, and closed ones stay until garbage is collected."""
    watcher = psycopg2.connect(own_database)
    watcher.autocommit = True
    with watcher.cursor() as cursor:
        cursor.execute("CREATE ROLE dagster LOGIN CONNECTION LIMIT 40; GRANT ALL ON SCHEMA public TO dagster")
    storage = own_database.replace("postgresql://loader", "postgresql+psycopg2://dagster")
    (tmp_path / "dagster.yaml").write_text(
        f"telemetry: {{enabled: false}}\nstorage: {{postgres: {{postgres_url: '{storage}'}}}}\n"
    )
    environment = desk.environment | {"DAGSTER_HOME": str(tmp_path), "CRM_ASSETS_DATA": str(tmp_path / "data")}
    done = Desk(environment, tmp_path, desk.sandbox).types("crm-assets sync 'group:service_crm'", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    with watcher.cursor() as cursor:
        cursor.execute("SELECT DISTINCT status FROM runs")
        assert cursor.fetchall() == [("SUCCESS",)]
    watcher.close()
