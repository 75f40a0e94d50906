"""Worker processes: side by side, stopped together, never left behind and never dead unnoticed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from crm_assets.extract.signals import STOP_SIGNALS

_WORKER_STOP_SECONDS = 3
"""How long a worker may take to stop before it is killed, which loses nothing but its time."""

SendMessage = Callable[[Any], None]
"""Sends a message from a worker."""


@dataclass(frozen=True)
class WorkerExit:
    """A worker's last message: how its process ended."""

    code: int

    def __str__(self) -> str:
        if self.code < 0:
            name = signal.Signals(-self.code).name
            hint = ", perhaps because memory ran out" if name == "SIGKILL" else ""
            return f"its process was killed ({name}{hint}); run it again"
        return f"its process stopped with exit code {self.code}; its traceback is above"


def run_workers(jobs: Mapping[str, Callable[[SendMessage], None]]) -> Generator[tuple[str, Any], None, None]:
    """Run jobs in processes of their own; yield each message with its job's name, last of all an :class:`WorkerExit`.

    Closing the generator, also by Ctrl-C, stops the workers.

    Args:
        jobs: Name to function. Forked after the imports where that is safe, a process costs nothing.
    """
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pipes: dict[Any, str] = {}
    workers: dict[str, Any] = {}
    try:
        for name, job in jobs.items():
            with _signals_held_back():
                here, there = context.Pipe(duplex=False)
                worker = context.Process(target=_worker, args=(job, there), name=name, daemon=True)
                worker.start()
                workers[name] = worker
                there.close()
                pipes[here] = name
        while pipes:
            for pipe in wait(list(pipes)):
                name = pipes[pipe]
                message = _received(pipe, workers[name])
                if isinstance(message, WorkerExit):
                    del pipes[pipe]
                yield name, message
    finally:
        _stop_workers(list(workers.values()))


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Hold back signals while forking, so that no orphan is left.

    The new process starts with these handlers, too; it has nothing to lose yet and exits at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    maker, caught = os.getpid(), list[int]()

    def hold(number: int, _: Any) -> None:
        if os.getpid() != maker:
            os._exit(130)
        caught.append(number)

    before = {number: signal.signal(number, hold) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for late in caught:
        signal.raise_signal(late)


def _received(pipe: Any, worker: Any) -> Any:
    try:
        return pipe.recv()
    except (EOFError, OSError):  # the latter where it was killed in the middle of a message
        worker.join()
        return WorkerExit(worker.exitcode)


def _stop_workers(workers: list[Any]) -> None:
    try:
        for worker in workers:
            worker.terminate()
        deadline = time.monotonic() + _WORKER_STOP_SECONDS
        for worker in workers:
            worker.join(max(deadline - time.monotonic(), 0))
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def _worker(job: Callable[[SendMessage], None], pipe: Any) -> None:
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C goes to the parent alone, which stops every worker once
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: os._exit(130))  # at once; a step of a run takes the signal for itself
    # the progress bars put themselves before these, with a lock that their thread may have held while forking
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        job(pipe.send)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        pipe.close()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def signals_as_interrupt() -> Iterator[None]:
    """Let SIGTERM, and SIGHUP of a closed terminal, stop this process as Ctrl-C does: in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else [])]
    heeded = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]  # nohup ignores SIGHUP
    before = {number: signal.signal(number, signal.default_int_handler) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
