"""Signals while an event loop runs: taken between two of its steps, and handed on when it has ended."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_Result = TypeVar("_Result")


def run_stoppable(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine; Ctrl-C and SIGTERM cancel it and then do what they would have done.

    A handler that raises in the midst of the loop's own code, as Dagster's does, would be taken for a broken
    connection there and be forgotten.
    """
    caught: list[int] = []
    try:
        return asyncio.run(_cancelled_by_signals(work, caught))
    finally:
        if caught:
            signal.raise_signal(caught[0])


async def _cancelled_by_signals(work: Coroutine[Any, Any, _Result], caught: list[int]) -> _Result:
    task = asyncio.ensure_future(work)
    with _signal_handlers(task, caught):
        return await task


@contextmanager
def _signal_handlers(task: asyncio.Future[Any], caught: list[int]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
        yield
        return

    def stop(number: int) -> None:
        caught.append(number)
        task.cancel()

    loop, before = asyncio.get_running_loop(), {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
