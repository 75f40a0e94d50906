"""DuckLake: the tables of a lake are those of a DuckDB file, whatever stops or overtakes its loads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from crm_assets.commands.local_postgres import free_port
from crm_assets_tests import lake_program
from crm_assets_tests.commands.conftest import ROOT
from crm_assets_tests.conftest import Build
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.lake import BUCKET, CATALOG, CREDENTIALS
from crm_assets_tests.reliability import LONG
from crm_assets_tests.reliability.killed_runs import until

LISTS = ("paging/by_page", *(("visitor_analytics/accounts", "visitor_analytics/leads") if LONG else ()))
MOMENTS = ("DELETE FROM", *(("CREATE TEMPORARY TABLE", "INSERT INTO", "UPDATE") if LONG else ()))
"""Statements behind which a load is killed."""
PLACES = [("sqlite", "folder"), *([("postgres", "folder"), ("sqlite", "s3"), ("postgres", "s3")] if LONG else [])]
"""Where the catalog is, and the files."""


class Lake:
    """The program that loads into a lake, and looks what it holds."""

    def __init__(self, program: subprocess.Popen[str], served_at: str, folder: Path) -> None:
        self._program = program
        self._place = {"served_at": served_at, "folder": str(folder / "here")}
        self.elsewhere = str(folder / "elsewhere")

    def load(self, **given: Any) -> dict[str, Any]:
        """Return how a load ended, and what the lake holds right after it."""
        assert self._program.stdin
        assert self._program.stdout
        print(json.dumps({**self._place, "lists": LISTS, **given}), file=self._program.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._program.stdout.readline())
        return answer


def installed(lock: str, folder: Path) -> Path:
    """Return the folder, with the packages of a lock file."""
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes", "--target", str(folder)]
    subprocess.run([*install, "--requirement", str(ROOT / lock)], check=True)
    return folder


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with DuckDB in the version that its extensions are packaged for, and them."""
    return installed("requirements-lake.lock", tmp_path_factory.mktemp("lake") / "packages")


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A bucket of a server of this machine, as settings of the program."""
    folder, port = installed("requirements-s3.lock", tmp_path_factory.mktemp("s3") / "packages"), free_port()
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(f"{url}/lake"))
        storage = f"{CREDENTIALS}STORAGE__CREDENTIALS__"
        yield {
            BUCKET: "s3://lake",
            f"{storage}AWS_ACCESS_KEY_ID": "loader",
            f"{storage}AWS_SECRET_ACCESS_KEY": "trusted",
            f"{storage}REGION_NAME": "us-east-1",
            f"{storage}ENDPOINT_URL": url,
        }
        server.terminate()


def answers(url: str) -> bool:
    """Make a bucket; return whether there is a server that did."""
    try:
        return requests.put(url, timeout=5).ok
    except requests.ConnectionError:
        return False


@contextmanager
def running(packages: Path, folder: Path, served_at: str, **given: str) -> Iterator[Lake]:
    """Run the program with settings of its own."""
    environment = {
        **os.environ,
        **given,
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join([str(packages), str(ROOT)]),
    }
    command = [sys.executable, "-m", lake_program.__name__]
    with subprocess.Popen(
        command, env=environment, cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        yield Lake(program, served_at, folder / "lake")


def plain(found: Any) -> Any:
    """Return what was found as the program tells it."""
    return json.loads(json.dumps(found, default=str))


def of_paging(held: dict[str, Any]) -> tuple[Any, Any]:
    """Return the tables and reads of the connection whose loads are disturbed."""
    return held["paging"], [read for read in held["reads"] if read["connection"] == "paging"]


def attack(lake: Lake, house: Build, sandbox: FaultySandbox) -> None:
    """Load twice, the second time killed at some moments and overtaken before it succeeds."""
    twin = house(*lake_program.declared(LISTS))
    answer = lake.load()
    assert (answer["exit"], answer["problem"]) == (0, lake_program.load(twin))
    assert answer["held"] == (old := plain(lake_program.contents(twin)))
    sandbox.state = 3
    for statement in MOMENTS:
        answer = lake.load(after=(statement, "by_page"))
        assert answer["exit"] == -signal.SIGKILL
        assert of_paging(answer["held"]) == of_paging(old), f"seen right after the kill behind {statement}"
    lake_program.load(twin)
    answer = lake.load(after=("INSERT INTO", "by_page"), overtaken_by=lake.elsewhere)
    assert "by_page could not be written" in answer["problem"]
    assert "another transaction has" in answer["problem"] or "is locked" in answer["problem"]
    assert {name: answer["held"][name] for name in twin.connections} == {
        name: plain(twin.snapshot(name)) for name in twin.connections
    }
    if LONG:
        retyped = house(*lake_program.declared(LISTS, text=("amount",)), folder=twin.folder)
        answer = lake.load(text=("amount",))
        assert (answer["exit"], answer["problem"]) == (0, lake_program.load(retyped))
        assert answer["held"]["paging"] == plain(retyped.snapshot("paging"))


@pytest.mark.parametrize(("catalog", "files"), PLACES)
def test_a_lake_holds_what_a_file_holds_whatever_stops_a_load(
    packages: Path,
    tmp_path: Path,
    served: tuple[FaultySandbox, str],
    sandbox: FaultySandbox,
    house: Build,
    catalog: str,
    files: str,
    request: pytest.FixtureRequest,
) -> None:
    settings = request.getfixturevalue("bucket") if files == "s3" else {}
    if catalog == "postgres":
        settings = {**settings, CATALOG: request.getfixturevalue("postgres")}
    with running(packages, tmp_path, served[1], **settings) as lake:
        attack(lake, house, sandbox)
