"""Fetch and verify the resources of a connection side by side, parents before children."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from crm_assets.declarations.models.connection import Connection
from crm_assets.declarations.models.paginator import SinglePage
from crm_assets.extract.decode.destination_limits import UNLIMITED, DestinationLimits
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.rate_limiter import RateLimiter
from crm_assets.extract.http.tokens import TokenStores
from crm_assets.extract.page_reader import OpenConnection, open_connection
from crm_assets.extract.paging.list_memory import ListFacts, PagingMemory
from crm_assets.extract.progress import ProgressCallback
from crm_assets.extract.read_report import ReadReport, ReadTask, declared
from crm_assets.extract.resource_reader import Reader
from crm_assets.extract.resume.journals import Journals
from crm_assets.extract.signals import run_stoppable
from crm_assets.extract.staging.decode_queue import DecodingThread, UndecodableError
from crm_assets.extract.staging.staged_rows import StagedRows
from crm_assets.extract.verification import verify

_ROOM = 100_000_000
"""Bytes of decoded rows that all staged rows of a connection together may hold."""


@dataclass(frozen=True)
class ReadResult:
    """The outcome for one resource: staged rows that may be loaded, or the reason why there is none."""

    task: ReadTask
    report: ReadReport
    staged: StagedRows | None
    bug: str = ""
    """The traceback of an error in crm_assets itself."""
    learned: ListFacts = field(default_factory=ListFacts)
    """What is known of how the resource's lists are paged."""


def fetch(
    connection: Connection,
    tasks: Iterable[ReadTask],
    secrets: Mapping[str, str],
    folder: Path,
    budget: RateLimiter,
    watch: ProgressCallback | None = None,
    limits: DestinationLimits = UNLIMITED,
    memory: Path | None = None,
    stores: TokenStores | None = None,
    journals: Journals | None = None,
) -> list[ReadResult]:
    """Read resources into staged rows and verify them. A resource that fails stops alone, whatever it raises.

    Args:
        connection: The account.
        tasks: What to read. The parent of a list is read whole, for its keys alone where it is missing here.
        secrets: Secret name to value.
        folder: The run's own folder for staged rows.
        budget: The connection's rate budget.
        watch: Told of progress.
        limits: What the destination cannot hold.
        memory: The file in which reads leave what they learned of the connection's lists.
        stores: Keep the tokens of logins between runs.
        journals: Have what interrupted runs brought, and keep what this one brings; by default nothing is kept.

    Returns:
        One reading per task, in the order of the tasks.
    """
    learned = PagingMemory(memory, connection)
    work = _Fetch(connection, list(tasks), folder, watch or _unwatched, limits, learned, journals or Journals())
    return run_stoppable(work.run(secrets, budget, stores))


class _Fetch:
    def __init__(
        self,
        connection: Connection,
        tasks: list[ReadTask],
        folder: Path,
        watch: ProgressCallback,
        limits: DestinationLimits,
        memory: PagingMemory,
        journals: Journals,
    ) -> None:
        self._connection = connection
        self._tasks = _with_parents(connection, tasks)
        self._folder = folder
        self._watch = watch
        self._limits = limits
        self._memory = memory
        self._journals = journals
        self._readings: dict[str, asyncio.Task[ReadResult]] = {}

    async def run(
        self, secrets: Mapping[str, str], budget: RateLimiter, stores: TokenStores | None
    ) -> list[ReadResult]:
        async with open_connection(self._connection, secrets, budget, stores) as opened:
            # which ends before the database is closed: a batch that nobody waits for any more may still be using it
            with ThreadPoolExecutor(1, "decode") as thread:
                decoding = DecodingThread(thread)
                for name, task in self._tasks.items():
                    self._readings[name] = asyncio.ensure_future(self._read(task, opened, decoding))
                try:
                    readings = await asyncio.gather(*self._readings.values())
                finally:
                    for reading in self._readings.values():
                        reading.cancel()
        self._memory.keep((done.task.resource, done.learned) for done in readings if done.report.complete)
        return [reading for reading in readings if reading.task.load]

    async def _read(self, task: ReadTask, opened: OpenConnection, decoding: DecodingThread) -> ReadResult:
        started, declaration = time.perf_counter(), declared(self._connection, task.resource)
        report = ReadReport(declaration=declaration, mode=task.mode, date_ranges=task.date_ranges, since=task.since)
        room = _ROOM // max(len(self._tasks), 1)
        staged = StagedRows(task.resource, report.read_id, self._folder, opened.database, room, self._limits)
        memory = self._memory.of(task.resource, in_full=task.mode == "full_refresh")
        journal = self._journals.of(self._connection, task, opened.credentials.secrets, opened.credentials.redact)
        reader = Reader(self._connection, task, report, opened.client, staged, decoding, self._watch, memory, journal)
        report.started_at, bug, useless = journal.began, "", False
        try:
            report.started_at = min(journal.began, await self._parent_began(task))
            report.missing_parents = await self._missing_parents(task)
            keys, unseen = await self._parents(task, decoding)
            await reader.read(keys, unseen, await self._further_fields(task, decoding))
            useless = True  # unless all of the following holds
            await decoding.run(staged.seal, report, task.found_before)
            task = replace(task, resource=staged.resource)
            verify(report, paged=not isinstance(task.resource.endpoint.paginator, SinglePage))
        except ReadError as error:
            report.reason = self._told(task, opened, error.problem)
            useless = useless or isinstance(error, UndecodableError)
        except (OSError, pa.ArrowException, duckdb.Error) as error:
            useless = True  # and on a disk that is full the rows need the room
            reason = (error.strerror if isinstance(error, OSError) else None) or (str(error).splitlines() or ["?"])[0]
            report.reason = self._told(task, opened, f"its rows cannot be written to {self._folder.parent}: {reason}")
        except Exception:  # a bug stops the list it is met at, and no other
            report.reason = self._told(
                task, opened, "it stopped at an error in crm_assets itself; the run's log has the traceback"
            )
            bug = opened.credentials.redact(traceback.format_exc())
        else:
            report.complete = True
        if bug or (useless and not report.complete):  # what came may itself be the reason, and must come again
            self._journals.discard(task.resource.name)
        traffic, report.finished_at = reader.traffic, datetime.now(timezone.utc)
        report.requests, report.retries, report.bytes = traffic.requests, traffic.retries, traffic.bytes
        report.seconds_fetch = round(time.perf_counter() - started, 3)
        report.seconds_waited = round(traffic.seconds_waited, 3)
        report.concurrency = round(traffic.seconds_in_flight / max(report.seconds_fetch, 0.001), 2)
        learned = memory.result(only_list=report.lists == 1 and task.mode == "full_refresh")
        return ReadResult(task, report, staged if report.complete else None, bug, learned)

    def _told(self, task: ReadTask, opened: OpenConnection, problem: str) -> str:
        return opened.credentials.redact(f"{self._connection.name}.{task.resource.name}: {problem}")

    async def _parent_began(self, task: ReadTask) -> datetime:
        """Return when the read of the parents began: of those that came since, no list is read."""
        now = datetime.now(timezone.utc)
        if task.resource.parent is None:
            return now
        return (await asyncio.shield(self._readings[task.resource.parent.resource])).report.started_at or now

    async def _parents(self, task: ReadTask, decoding: DecodingThread) -> tuple[list[Any] | None, frozenset[Any]]:
        """Return the keys of the parents to ask, and those among them that this run has not seen at the source."""
        parent = task.resource.parent
        if parent is None:
            return None, frozenset()
        reading = await asyncio.shield(self._readings[parent.resource])
        if reading.staged is None:
            raise ReadError(f"its parent could not be read ({reading.report.reason})")
        seen = await decoding.run(reading.staged.values, parent.field)
        changes, unchanged = reading.task.resource.incremental, task.unchanged_parents
        if changes and unchanged is not None:
            times = await decoding.run(reading.staged.combinations, parent.field, changes.field)
            seen = [key for key, changed in times if changed is None or unchanged.get(key) != changed]
        unseen = dict.fromkeys(task.known_parents or ()).keys() - set(seen)
        return [*(key for key in task.known_parents or () if key in unseen), *seen], frozenset(unseen)

    async def _missing_parents(self, task: ReadTask) -> str:
        """Return why parents may be missing from those whose lists are read, as a clause; empty if none can be."""
        parent = task.resource.parent
        if parent is None:
            return ""
        report = (await asyncio.shield(self._readings[parent.resource])).report
        misfits = [name for name in parent.values.values() if name in report.misfits]
        why = report.doubt_of_rows or (f"values of {misfits[0]} did not fit their type" if misfits else "")
        return f"lists of some {parent.resource} may not have been read ({why})" if why else ""

    async def _further_fields(self, task: ReadTask, decoding: DecodingThread) -> dict[Any, list[tuple[Any, ...]]]:
        """Return what fills the placeholders beside the parent's key, by key."""
        parent, found = task.resource.parent, dict[Any, list[tuple[Any, ...]]]()
        if parent is None or not parent.further_fields:
            return found
        staged = (await asyncio.shield(self._readings[parent.resource])).staged
        further = parent.further_fields.values()
        for key, *values in await decoding.run(staged.combinations, parent.field, *further) if staged else ():
            found.setdefault(key, []).append(tuple(values))
        return found


def _with_parents(connection: Connection, tasks: list[ReadTask]) -> dict[str, ReadTask]:
    """Add the missing parents of the lists, and read in full those whose unchanged rows are not in a table."""
    wanted = {task.resource.name: task for task in tasks}
    pending = list(tasks)
    while pending:
        child = pending.pop()
        parent = child.resource.parent
        task = wanted.get(parent.resource) if parent else None
        if parent is None or (task and (task.mode == "full_refresh" or child.known_parents is not None)):
            continue
        task = task or ReadTask(connection.system.resource(parent.resource), load=False)
        wanted[parent.resource] = replace(task, date_ranges=(), since=None)
        pending.append(task)
    return wanted


def _unwatched(_resource: str, _pages: int, _rows: int) -> None:
    """Nobody wants to know."""
