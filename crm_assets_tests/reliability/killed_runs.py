"""Runs in processes of their own, which tests kill. They tell of each stage they enter."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, TypeVar

from crm_assets import cli
from crm_assets.commands.startup import quiet_libraries
from crm_assets.declarations.models.connection import Connection
from crm_assets.extract.staging.staged_rows import StagedRows
from crm_assets.orchestration import loading
from crm_assets.orchestration.fetching import Fetcher
from crm_assets_tests.faults import FaultySandbox
from crm_assets_tests.installation import START, TODAY, Installation

STAGES = ("start", "fetch", "verify", "load", "commit", "check")
_Found = TypeVar("_Found")
_PATIENCE = 120
HEAVY = (
    "crm_assets.commands.code_location",
    "crm_assets.commands.sync.console",
    "crm_assets.definitions",
    "crm_assets.extract.fetch",
    "crm_assets.extract.journal_storage.file_journals",
    "crm_assets.orchestration.sqlite_storage",
    "crm_assets.warehouse.duckdb_destination",
    "alembic.command",
    "dagster._core.execution.execute_in_process",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.instance.runs.run_domain",
    "dagster._core.secrets.env_file",
    "dagster._core.storage.migration.utils",
    "dagster._core.storage.noop_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._core.storage.sqlite_storage",
    "dagster._daemon.daemon",
    "dagster._grpc.impl",
    "dlt._workspace.cli._plugins",
    "dlt.common.libs.pyarrow",
    "dlt.common.libs.sql_alchemy_compat",
    "dlt.destinations.impl.duckdb.duck",
    "dlt.sources.helpers.requests",
    "dlt.sources.rest_api",
    "email.policy",
    "fsspec.implementations.local",
    "pendulum.locales.en.locale",
    "rich._emoji_codes",
    "rich.traceback",
    "sqlalchemy.dialects.sqlite",
    "structlog",
    "upath.implementations.local",
)
"""Imported once, before a run is forked off: it then costs half. Names that are not there would be passed over."""

context: Any = multiprocessing.get_context("forkserver")
context.set_forkserver_preload([__name__, *HEAVY, "crm_assets_tests.reliability.settled"])


@dataclass(frozen=True)
class Job:
    """What a victim is to do.

    Args:
        connection: What to read, windows as one range.
        base_url: Where the sandbox is.
        folder: The data folder.
        environment: Variables to set: secrets.
        before: Called in the process before anything is read; must be a function of a module.
        patience: Seconds to wait for the warehouse.
        days: First and last window to read.
        destination: The warehouse's.
    """

    connection: Connection
    base_url: str
    folder: Path
    environment: Mapping[str, str]
    before: Callable[[], None] | None = None
    patience: float = 60
    days: tuple[str, str] = (START.isoformat(), TODAY.isoformat())
    destination: str = "duckdb"


@dataclass(frozen=True)
class Told:
    """How a run ended, in its own words."""

    succeeded: bool
    sentences: tuple[str, ...]
    """Of the steps that failed."""


class Victim:
    """A run in a process of its own."""

    def __init__(self, job: Job) -> None:
        self._pipe, there = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(job, there), daemon=True)
        self.process.start()
        there.close()
        self.entered: dict[str, float] = {}
        """First moment of each stage."""

    def told(self) -> Told:
        """Wait for the end; return how it ended.

        Raises:
            EOFError: The process died before it could tell.
        """
        while True:
            message = self._next(_PATIENCE)
            if isinstance(message, Told):
                self.process.join(_PATIENCE)
                return message

    def kill(self, stage: str, delay: float) -> str:
        """Kill -9 some seconds after it entered a stage, or at its end if that comes first; return the last stage."""
        deadline = None
        while deadline is None or time.monotonic() < deadline:
            left = _PATIENCE if deadline is None else max(deadline - time.monotonic(), 0)
            try:
                message = self._next(left)
            except TimeoutError:
                break
            if isinstance(message, Told):
                break
            if deadline is None and stage in self.entered:
                deadline = time.monotonic() + delay
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join(_PATIENCE)
        return max(self.entered, key=lambda name: self.entered[name])

    def _next(self, seconds: float) -> Any:
        if not self._pipe.poll(seconds):
            raise TimeoutError(f"nothing was told for {seconds} seconds")
        message = self._pipe.recv()
        if isinstance(message, str):
            self.entered.setdefault(message, time.monotonic())
        return message


class Command:
    """``crm-assets`` in a process of its own, leader of a session of its own.

    Args:
        arguments: What to type after ``crm-assets``.
        environment: Variables to set.
        told: File for what it prints.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], told: Path) -> None:
        self._told = told
        self.process = context.Process(target=_command, args=(list(arguments), dict(environment), told))
        self.process.start()

    def wait(self, seconds: float = _PATIENCE) -> tuple[int, str]:
        """Return the exit code and what was printed."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, "it still runs"
        return self.process.exitcode, self._told.read_text()


def until(holds: Callable[[], _Found], seconds: float = _PATIENCE) -> _Found:
    """Wait until something holds, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def _command(arguments: list[str], environment: dict[str, str], told: Path) -> None:
    os.setsid()
    os.environ.update(environment)
    file = os.open(told, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    warnings.simplefilter("ignore")
    cli.main(arguments, prog_name="crm-assets")


def _work(job: Job, pipe: Pipe) -> None:
    os.environ.update(job.environment)
    quiet_libraries()
    _announce(pipe)
    pipe.send("start")
    house = Installation(
        FaultySandbox([job.connection]),
        job.base_url,
        job.folder,
        [job.connection],
        destination=job.destination,
        patience=job.patience,
    )
    if job.before:
        job.before()
    results = house.load(job.connection.name, job.days)
    sentences = [event.step_failure_data for result in results for event in result.all_events if event.is_step_failure]
    pipe.send(Told(all(result.success for result in results), tuple(_sentence(one) for one in sentences)))


def _sentence(data: Any) -> str:
    if data.user_failure_data and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    return str(data.error.cause.message if data.error.cause else data.error.message)


def _announce(pipe: Pipe) -> None:
    """Let the functions that begin a stage tell so."""

    def telling(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def told(*args: Any, **kwargs: Any) -> Any:
            pipe.send(stage)
            return function(*args, **kwargs)

        return told

    Fetcher.fetch = telling("fetch", Fetcher.fetch)  # type: ignore[method-assign]
    StagedRows.seal = telling("verify", StagedRows.seal)  # type: ignore[method-assign]
    loading.Loader.load = telling("load", loading.Loader.load)  # type: ignore[method-assign]
    loading.commit_read = telling("commit", loading.commit_read)  # type: ignore[attr-defined]
    loading.evaluate = telling("check", loading.evaluate)  # type: ignore[attr-defined]
