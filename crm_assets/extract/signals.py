"""Signals that stop a process: taken between two steps of an event loop, and handed on where a library loses them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ENDING = frozenset({*STOP_SIGNALS, getattr(signal, "SIGHUP", signal.SIGTERM)})
"""Those, and that of a terminal that is closed, where it is handled."""
_Result = TypeVar("_Result")
_noted: socket.socket | None = None
"""Gives the number of each signal that came, whatever became of what its handler did."""


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
    if not _takes_signals():
        yield
        return
    loop = asyncio.get_running_loop()

    # the loop's own handlers lose what comes in its last step
    def stop(number: int, _: Any) -> None:
        caught.append(number)
        loop.call_soon_threadsafe(task.cancel)

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def no_signal_lost() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop what is done inside, even if a library loses what their handlers raise.

    DuckDB makes an error of its own of whatever is raised during a query, and dlt keeps a signal back until its load
    is over, or forgets it. What was lost is done again by :func:`raise_if_stopped`, and at the end at the latest.
    """
    with _noting_signals():
        try:
            yield
        except Exception:
            raise_if_stopped()
            raise
        raise_if_stopped()


def raise_if_stopped() -> None:
    """Do once more what the signals do that came since :func:`no_signal_lost` began: their handlers usually raise."""
    if _noted is not None and _takes_signals():
        with suppress(BlockingIOError):
            for number in _noted.recv(256):
                handler = signal.getsignal(number)
                if number in _ENDING and callable(handler):
                    handler(number, None)


@contextmanager
def _noting_signals() -> Iterator[None]:
    """Note signals, unless that is done already, or another event loop has the interpreter's one place for it."""
    global _noted
    if _noted is not None or not _takes_signals():
        yield
        return
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        there.setblocking(False)
        taken = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
        if taken != -1:
            signal.set_wakeup_fd(taken)
            yield
            return
        _noted = here
        try:
            yield
        finally:
            _noted = None
            signal.set_wakeup_fd(-1)


def _takes_signals() -> bool:
    return threading.current_thread() is threading.main_thread() and sys.platform != "win32"


def _leave_parents_signals() -> None:
    """Keep the signals of a forked process apart from those of the one that made it."""
    global _noted
    if _noted is not None:
        _noted = None
        signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_parents_signals)
