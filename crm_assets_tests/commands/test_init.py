"""A new folder, in which all commands work as they stand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from crm_assets.commands.init import CONNECTIONS, TEMPLATES, init
from crm_assets.commands.local_postgres import free_port
from crm_assets.commands.startup import read_env_file
from crm_assets.declarations.connections import load_connections
from crm_assets.errors import CommandError
from crm_assets.extract.secrets import secret_variable
from crm_assets_tests.commands.conftest import ROOT, Desk
from crm_assets_tests.reliability.killed_runs import until
from crm_assets_tests.reliability.test_stop import of_session

FILES = ["connections.yaml", "dagster.yaml", "workspace.yaml", ".env.example", ".gitignore"]


@pytest.mark.parametrize("name", ["connections.yaml", "workspace.yaml", "dagster.yaml"])
def test_a_new_folder_has_what_the_checkout_has(name: str) -> None:
    assert (ROOT / name).read_text() == (TEMPLATES / name).read_text()


def test_files_that_are_there_stay(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    written = init(tmp_path)
    assert [file.path.name for file in written] == FILES
    assert [file.path.name for file in written if not file.new] == [".gitignore"]
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert not any(file.new for file in init(tmp_path))


def test_the_example_names_every_secret(tmp_path: Path) -> None:
    init(tmp_path / "new")
    text = (tmp_path / "new" / ".env.example").read_text()
    for connection in load_connections(CONNECTIONS):
        for secret in connection.system.client.auth.secrets:
            assert f"# {secret_variable(connection, secret)}=\n" in text


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match=r"file cannot be written: (File exists|Not a directory)\."):
        init(tmp_path / "file")


def test_the_env_file_is_read_and_the_environment_takes_precedence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRM_ASSETS_DATA", "from the environment")
    monkeypatch.setenv("CRM_ASSETS_CONNECTIONS", "to be removed")
    monkeypatch.delenv("CRM_ASSETS_CONNECTIONS")
    (tmp_path / ".env").write_text("CRM_ASSETS_DATA=from the file\nCRM_ASSETS_CONNECTIONS='my file.yaml'\nBARE\n")
    read_env_file()
    assert os.environ["CRM_ASSETS_DATA"] == "from the environment"
    assert os.environ["CRM_ASSETS_CONNECTIONS"] == "my file.yaml"
    assert "BARE" not in os.environ


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for PYTHONPATH that hides what `pip install crm-assets` does not install."""
    lines = [line for line in requires("crm_assets") or () if "extra ==" in line]
    extras = {Requirement(line).name for line in lines}
    hidden = [module for module, owners in packages_distributions().items() if extras & {*owners}]
    assert {"psycopg2", "dagster_postgres", "hypothesis"} <= {*hidden}
    folder = tmp_path_factory.mktemp("plain")
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({hidden}))\n")
    return folder


def bare(desk: Desk, folder: Path, plain: Path) -> dict[str, str]:
    """Return variables with nothing set but PATH, and no extra installed."""
    return {
        "PATH": desk.environment["PATH"],
        "HOME": str(folder),
        "COLUMNS": "120",
        "PYTHONPATH": str(plain),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def types(desk: Desk, command: str, folder: Path, plain: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder of its own."""
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=bare(desk, folder, plain),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_commands_and_dagster_work_in_a_new_folder(desk: Desk, tmp_path: Path, plain: Path) -> None:
    done = types(desk, "crm-assets init", tmp_path, plain)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("wrote") == len(FILES)
    assert "still points at the example address" in types(desk, "crm-assets doctor sales_crm", tmp_path, plain).stdout
    done = types(desk, "dagster definitions validate -w workspace.yaml", tmp_path, plain)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_demo_runs_in_an_empty_folder_and_leaves_no_process_behind(
    desk: Desk, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, plain: Path
) -> None:
    told = tmp_path_factory.mktemp("told") / "demo.txt"
    command = ["crm-assets", "demo", "--rows", "5", "--port", str(free_port())]
    environment = bare(desk, tmp_path, plain) | {"MARK": str(tmp_path)}
    program = str(Path(sys.executable).with_name(command[0]))
    with told.open("wb") as output:
        process = subprocess.Popen(
            command, executable=program, cwd=tmp_path, env=environment, stdout=output, stderr=output
        )
    try:
        until(lambda: process.poll() is not None or "Dagster UI is at" in told.read_text(), seconds=240)
        assert process.poll() is None, told.read_text()
        assert len(marked(tmp_path)) > 5
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    until(lambda: not marked(tmp_path), seconds=15)
    assert not list(of_session(process.pid))
    said = told.read_text()
    assert process.returncode == 0, said
    assert "32 of 32 assets materialized" in said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir() if path.name != ".local"] == ["data"]
    today = datetime.now(timezone.utc).date()
    accounts = load_connections(tmp_path / "data" / "demo.yaml")
    assert {(today - account.start_date).days for account in accounts} <= {14, 15}, "the latter at midnight"


def marked(folder: Path) -> list[int]:
    """Return the living processes whose environment names the folder."""
    mark = f"MARK={folder}".encode()
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if mark in _environment(path)]


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""
