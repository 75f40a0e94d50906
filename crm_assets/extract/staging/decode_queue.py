"""Pages on their way to the decoding thread: enough at a time to be worth it, few enough to fit in memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import duckdb
import pyarrow as pa

from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import ReadError
from crm_assets.extract.staging.row_filter import RowFilter

_BYTES = 8_000_000
_PAGES_QUEUED = 256
_WAITING = 6
"""Batches of a connection that wait for the decoding thread: so many that neither side waits for the other's turns."""
_Result = TypeVar("_Result")


class UndecodableError(ReadError):
    """A batch mixing pages of several lists cannot be decoded, so the list at fault is unknown."""


@dataclass
class _Batch:
    pages: list[Records] = field(default_factory=list)
    bytes: int = 0

    @property
    def full(self) -> bool:
        return self.bytes >= _BYTES or len(self.pages) >= _PAGES_QUEUED


class DecodingThread:
    """The one thread that decodes the pages of a connection.

    Args:
        thread: An executor with a single thread.
    """

    def __init__(self, thread: Executor) -> None:
        self._thread = thread
        self._room = asyncio.Semaphore(_WAITING)

    async def run(self, work: Callable[..., _Result], *given: object) -> _Result:
        """Have something done there, and wait for it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *given))

    async def hand_over(self, work: Callable[..., None], *given: object) -> asyncio.Future[None]:
        """Have something done there; wait only while too much waits for it already."""
        await self._room.acquire()
        done = asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *given))
        done.add_done_callback(lambda _: self._room.release())
        return done


class Batches:
    """The batches of one resource.

    Args:
        decoding: Where they are decoded.
        append: Decodes a batch.
    """

    def __init__(self, decoding: DecodingThread, append: Callable[[list[Records], RowFilter], None]) -> None:
        self._decoding = decoding
        self._append = append
        self._open: defaultdict[RowFilter, _Batch] = defaultdict(_Batch)
        self._handed_over: deque[asyncio.Future[None]] = deque()

    async def add(self, page: Records, keep: RowFilter) -> None:
        """Take a page; hand its batch over when it is full.

        Raises:
            UndecodableError: An earlier batch could not be decoded.
        """
        batch = self._open[keep]
        batch.pages.append(page)
        batch.bytes += len(page.array)
        if batch.full:
            await self._hand_over(keep)

    async def finish(self) -> None:
        """Hand over what there is, and wait until all is decoded.

        Raises:
            UndecodableError: A batch could not be decoded.
        """
        for keep in list(self._open):
            await self._hand_over(keep)
        await self._decoded()

    def abandon(self) -> None:
        """Forget the batches that wait, and what became of those that do not: the read has failed already."""
        while self._handed_over:
            self._handed_over.pop().cancel()

    async def _hand_over(self, keep: RowFilter) -> None:
        pages = self._open.pop(keep).pages
        await self._decoded(only_done=True)
        self._handed_over.append(await self._decoding.hand_over(self._append, pages, keep))

    async def _decoded(self, *, only_done: bool = False) -> None:
        try:
            while self._handed_over and (self._handed_over[0].done() or not only_done):
                await self._handed_over.popleft()
        except (duckdb.Error, pa.ArrowException) as error:
            raise UndecodableError(f"its records cannot be decoded ({str(error).splitlines()[0]})") from error
