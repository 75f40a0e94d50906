"""What all tests share: quiet libraries, and the order in which the files are run.

The process that only hands the tests out to workers takes no fixtures: importing what they need takes seconds.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from crm_assets.commands.local_postgres import programs
from crm_assets_tests.reliability import LONG

if TYPE_CHECKING:
    from crm_assets.declarations.models.connection import Connection
    from crm_assets_tests.installation import Installation

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "true"
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a background job of a script, and in all it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)

_MEMORY, _LIMIT = Path("/dev/shm"), Path("/sys/fs/cgroup/memory.max")
_ROOM = 8 << 30
"""Bytes that must be free in memory for the files of tests to be kept there: they take half of it."""
if (
    _MEMORY.is_dir()
    and shutil.disk_usage(_MEMORY).free > _ROOM
    and (not _LIMIT.is_file() or int(_LIMIT.read_text().strip().replace("max", str(1 << 62))) > 2 * _ROOM)
    and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC  # tests start programs that they have copied
):
    os.environ.setdefault("TMPDIR", str(_MEMORY))  # waiting for a disk takes a fifth of the suite's time
    tempfile.tempdir = None

# The examples of property tests are the same in each run, but for the long variant, which looks for new ones.
settings.register_profile("repeatable", derandomize=not LONG)
settings.load_profile("repeatable")

Build = Callable[..., "Installation"]
HouseWith = Callable[..., "Installation"]
_LONGEST_FIRST = (
    "conformance",
    "reliability",
    "ui",
    "automation",
    "orchestration",
    "commands",
    "discovery",
    "warehouse",
)
_SELDOM = (300_000, 50, 100)
"""How seldom to look for garbage. Python's own thresholds make a load in a process take a tenth longer."""
_THEIRS = ("dagster", "dagster_shared", "dagster_dlt", "dagster_embedded_elt", "dlt", "sqlalchemy")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take warnings for errors, but those of libraries in themselves; find PostgreSQL's programs for all workers.

    Nothing of what is imported and collected is garbage, so that is not looked for until it is done.
    """
    for library in _THEIRS:
        config.addinivalue_line("filterwarnings", rf"ignore::DeprecationWarning:{library}(\..*)?$")
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], str(programs())])
    if not config.pluginmanager.has_plugin("dsession"):
        gc.disable()
        config.pluginmanager.register(import_module("crm_assets_tests.fixtures"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests that build a house of their own be run against another destination: ``--destination postgres``."""
    parser.addoption("--destination", default="duckdb", choices=("duckdb", "postgres", "ducklake"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders whose files take minutes; the small ones at the end then keep all workers busy."""
    ranks = {folder: rank for rank, folder in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.parent.name, len(ranks)))


def pytest_collection_finish() -> None:
    """Leave what was imported and collected to itself: walking over it for garbage takes more with every test.

    When the interpreter ends it finds everything again, or DuckDB's bindings would print what it does not find.
    """
    gc.freeze()
    atexit.register(gc.unfreeze)
    gc.enable()
    gc.set_threshold(*_SELDOM)


def pytest_xdist_auto_num_workers() -> int:
    """Run two workers more than there are cores: many wait for clocks and other processes, often two at a time."""
    return (os.cpu_count() or 1) + 2


def only(connection: Connection, *names: str) -> Connection:
    """Return the connection with these resources alone."""
    resources = tuple(resource for resource in connection.system.resources if resource.name in names)
    return connection.model_copy(update={"system": connection.system.model_copy(update={"resources": resources})})
