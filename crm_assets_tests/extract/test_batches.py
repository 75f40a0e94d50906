"""Pages on their way to the decoding thread: in order, a few batches at a time, no error lost."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from crm_assets.extract.decode.records import Records
from crm_assets.extract.staging.decode_queue import Batches, DecodingThread, UndecodableError
from crm_assets.extract.staging.row_filter import ALL_ROWS, RowFilter

UNDATED = RowFilter(include_undated=True)
Append = Callable[[list[Records], RowFilter], None]


def page(number: int, size: int = 3_000_000) -> Records:
    """Return a page of about three megabytes; three of them are a batch."""
    return Records(b" " * size, None, (str(number),), True, 1, (number,))


async def sent(append: Append, pages: list[tuple[Records, RowFilter]], pause: float = 0) -> None:
    """Hand pages over; pause before the end."""
    with ThreadPoolExecutor(1) as decoding:
        batches = Batches(DecodingThread(decoding), append)
        try:
            for records, keep in pages:
                await batches.add(records, keep)
            await asyncio.sleep(pause)
            await batches.finish()
        finally:
            batches.abandon()


def test_every_page_is_decoded_once_in_the_order_of_its_kind() -> None:
    seen: list[tuple[list[str | None], RowFilter]] = []
    pages = [(page(number), UNDATED if number % 5 == 0 else ALL_ROWS) for number in range(20)]
    asyncio.run(sent(lambda batch, keep: seen.append(([one.values[0] for one in batch], keep)), pages))
    for keep in (ALL_ROWS, UNDATED):
        taken = [number for batch, kind in seen if kind == keep for number in batch]
        assert taken == [records.values[0] for records, kind in pages if kind == keep]
    assert len(seen) > 5


def test_small_pages_are_decoded_many_at_a_time() -> None:
    sizes: list[int] = []
    asyncio.run(
        sent(lambda batch, _: sizes.append(len(batch)), [(page(number, 10), ALL_ROWS) for number in range(600)])
    )
    assert sizes == [256, 256, 88]


def test_a_slow_decoding_thread_holds_the_reader_up() -> None:
    let_go = threading.Event()

    async def read() -> int:
        with ThreadPoolExecutor(1) as decoding:
            batches = Batches(DecodingThread(decoding), lambda *_: let_go.wait(30) and None)
            taken = 0
            try:
                while taken < 100:
                    await asyncio.wait_for(batches.add(page(taken), ALL_ROWS), 0.5)
                    taken += 1
            except asyncio.TimeoutError:
                return taken
            finally:
                let_go.set()
                batches.abandon()
        return taken

    assert asyncio.run(read()) == 20


def test_a_batch_that_cannot_be_decoded_is_an_error_without_a_place(caplog: pytest.LogCaptureFixture) -> None:
    def append(batch: list[Records], _: RowFilter) -> None:
        raise duckdb.OutOfMemoryException(f"batch of {len(batch)} pages\nand a long explanation")

    with pytest.raises(UndecodableError, match=r"^its records cannot be decoded \(.*batch of 3 pages\)$"):
        asyncio.run(sent(append, [(page(number), ALL_ROWS) for number in range(6)], pause=0.2))
    gc.collect()
    assert not caplog.records, "asyncio tells of errors nobody looked at"


def test_an_error_of_the_disk_is_told_as_it_is() -> None:
    def append(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        asyncio.run(sent(append, [(page(1), ALL_ROWS)]))
