"""Pages on their way to the decoding thread: enough at a time to be worth it, few enough to fit in memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from crm_assets.rest.decode import Records
from crm_assets.rest.errors import ReadError
from crm_assets.rest.spool import Keep

_BYTES = 8_000_000
_PAGES = 256
_WAITING = 3
"""Batches handed over at once: so many that neither side waits for the other's turns."""


class UndecodableError(ReadError):
    """A batch cannot be decoded; which of several lists its pages are of, nobody knows."""


@dataclass
class _Batch:
    pages: list[Records] = field(default_factory=list)
    bytes: int = 0

    @property
    def full(self) -> bool:
        return self.bytes >= _BYTES or len(self.pages) >= _PAGES


class Batches:
    """The batches of one resource.

    Args:
        decoding: The single decoding thread.
        append: Decodes a batch there.
    """

    def __init__(self, decoding: Executor, append: Callable[[list[Records], Keep], None]) -> None:
        self._decoding = decoding
        self._append = append
        self._open: defaultdict[Keep, _Batch] = defaultdict(_Batch)
        self._handed_over: deque[asyncio.Future[None]] = deque()
        self._handing_over = asyncio.Lock()

    async def add(self, page: Records, keep: Keep) -> None:
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

    async def _hand_over(self, keep: Keep) -> None:
        pages = self._open.pop(keep, _Batch()).pages
        async with self._handing_over:
            await self._decoded(all_but=_WAITING - 1)
            if pages:
                loop = asyncio.get_running_loop()
                self._handed_over.append(loop.run_in_executor(self._decoding, self._append, pages, keep))

    async def _decoded(self, all_but: int = 0) -> None:
        try:
            while len(self._handed_over) > all_but:
                await self._handed_over.popleft()
        except (duckdb.Error, pa.ArrowException) as error:
            raise UndecodableError(f"its records cannot be decoded ({str(error).splitlines()[0]})") from error
