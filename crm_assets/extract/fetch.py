"""Fetch and verify the resources of a connection side by side, parents before children."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from crm_assets.declarations.connections import Connection
from crm_assets.extract.decode.destination_limits import UNLIMITED, DestinationLimits
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.client import ApiClient
from crm_assets.extract.http.credentials import Credentials
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.read_report import ReadReport, ReadTask
from crm_assets.extract.resource_reader import ProgressCallback, Reader
from crm_assets.extract.signals import run_stoppable
from crm_assets.extract.staging.decode_queue import DecodingThread
from crm_assets.extract.staging.staged_rows import StagedRows

_ROOM = 100_000_000
"""Bytes of decoded rows that all spools of a connection together may hold."""


@dataclass(frozen=True)
class ReadResult:
    """The outcome for one resource: a spool that may be loaded, or the reason why there is none."""

    task: ReadTask
    proof: ReadReport
    spool: StagedRows | None


def fetch(
    connection: Connection,
    tasks: Iterable[ReadTask],
    secrets: Mapping[str, str],
    folder: Path,
    budget: RateLimiter,
    watch: ProgressCallback | None = None,
    limits: DestinationLimits = UNLIMITED,
) -> list[ReadResult]:
    """Read resources into spools and verify them. A resource that fails stops alone.

    Args:
        connection: The account.
        tasks: What to read. The parent of a list is read whole, for its keys alone where it is missing here.
        secrets: Secret name to value.
        folder: The run's own folder for spools.
        budget: The connection's rate budget.
        watch: Told of progress.
        limits: What the destination cannot hold.

    Returns:
        One reading per task, in the order of the tasks.
    """
    tasks = list(tasks)
    return run_stoppable(_Fetch(connection, tasks, secrets, folder, budget, watch or _unwatched, limits).run())


class _Fetch:
    def __init__(
        self,
        connection: Connection,
        tasks: list[ReadTask],
        secrets: Mapping[str, str],
        folder: Path,
        budget: RateLimiter,
        watch: ProgressCallback,
        limits: DestinationLimits,
    ) -> None:
        self._connection = connection
        self._tasks = _with_parents(connection, tasks)
        self._credentials = Credentials(connection.system.client.auth, secrets, connection.base_url)
        self._folder = folder
        self._budget = budget
        self._watch = watch
        self._limits = limits
        self._readings: dict[str, asyncio.Task[ReadResult]] = {}

    async def run(self) -> list[ReadResult]:
        headers = self._connection.system.client.headers
        room = _ROOM // max(len(self._tasks), 1)
        with duckdb.connect(config={"threads": 1}) as database, ThreadPoolExecutor(1, "decode") as thread:
            database.execute("SET timezone = 'UTC'")
            decoding = DecodingThread(thread)
            async with ApiClient(self._credentials, self._budget, self._connection.concurrency, headers) as session:
                for task in self._tasks.values():
                    proof = ReadReport(mode=task.mode, spans=task.spans, since=task.since)
                    spool = StagedRows(task.resource, proof.read_id, self._folder, database, room, self._limits)
                    reader = Reader(self._connection, task, proof, session, spool, decoding, self._watch)
                    self._readings[task.resource.name] = asyncio.ensure_future(
                        self._read(task, reader, spool, decoding)
                    )
                try:
                    readings = await asyncio.gather(*self._readings.values())
                finally:
                    for reading in self._readings.values():
                        reading.cancel()
        return [reading for reading in readings if reading.task.load]

    async def _read(self, task: ReadTask, reader: Reader, spool: StagedRows, decoding: DecodingThread) -> ReadResult:
        proof, started = reader.proof, time.perf_counter()
        proof.started_at = datetime.now(timezone.utc)
        try:
            await reader.read(*await self._parents(task, decoding))
            await decoding.run(spool.seal, proof)
            verify(proof)
        except ReadError as error:
            proof.reason = self._told(task, error.problem)
        except (OSError, pa.ArrowException, duckdb.Error) as error:
            said = (error.strerror if isinstance(error, OSError) else None) or (str(error).splitlines() or ["?"])[0]
            proof.reason = self._told(task, f"its rows cannot be put into {self._folder.parent}: {said}")
        else:
            proof.complete = True
        traffic, proof.finished_at = reader.traffic, datetime.now(timezone.utc)
        proof.requests, proof.retries, proof.bytes = traffic.requests, traffic.retries, traffic.bytes
        proof.seconds_fetch = round(time.perf_counter() - started, 3)
        proof.seconds_waited = round(traffic.seconds_waited, 3)
        proof.concurrency = round(traffic.seconds_in_flight / max(proof.seconds_fetch, 0.001), 2)
        return ReadResult(task, proof, spool if proof.complete else None)

    def _told(self, task: ReadTask, problem: str) -> str:
        return self._credentials.redact(f"{self._connection.name}.{task.resource.name}: {problem}")

    async def _parents(self, task: ReadTask, decoding: DecodingThread) -> tuple[list[Any] | None, frozenset[Any]]:
        """Return the keys of the parents to ask, and those among them that this run has not seen at the source."""
        parent = task.resource.parent
        if parent is None:
            return None, frozenset()
        reading = await asyncio.shield(self._readings[parent.resource])
        if reading.spool is None:
            raise ReadError(f"its parent could not be read ({reading.proof.reason})")
        seen = await decoding.run(reading.spool.values, parent.field)
        changes, unchanged = reading.task.resource.incremental, task.unchanged_parents
        if changes and unchanged is not None:
            times = await decoding.run(reading.spool.pairs, parent.field, changes.field)
            seen = [key for key, changed in times if changed is None or unchanged.get(key) != changed]
        unseen = dict.fromkeys(task.known_parents or ()).keys() - set(seen)
        return [*(key for key in task.known_parents or () if key in unseen), *seen], frozenset(unseen)


def verify(proof: ReadReport) -> None:
    """Check what can only be seen after the last page.

    Raises:
        ReadError: The API reported another number of records than were read.
    """
    read = proof.rows + proof.rejected
    if proof.reported_total is not None and proof.reported_total != read:
        raise ReadError(
            f"the API reports {proof.reported_total} records, but {read} different ones were read "
            f"({proof.duplicates} came twice); rows moved while paging. Run it again"
        )


def _with_parents(connection: Connection, tasks: list[ReadTask]) -> dict[str, ReadTask]:
    """Add the missing parents of the lists, and read in full those whose unchanged rows nobody knows from before."""
    wanted = {task.resource.name: task for task in tasks}
    pending = list(tasks)
    while pending:
        child = pending.pop()
        parent = child.resource.parent
        task = wanted.get(parent.resource) if parent else None
        if parent is None or (task and (task.mode == "full_refresh" or child.known_parents is not None)):
            continue
        task = task or ReadTask(connection.system.resource(parent.resource), load=False)
        wanted[parent.resource] = replace(task, spans=(), since=None)
        pending.append(task)
    return wanted


def _unwatched(_resource: str, _pages: int, _rows: int) -> None:
    """Nobody wants to know."""
