"""Worker processes: stopped whole and without a word, however early the signal comes."""

from __future__ import annotations

import io
import os
import signal
import struct
import subprocess
import sys
import threading
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from crm_assets.commands.sync.workers import SendMessage, WorkerExit, run_workers

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
ROUNDS = 20
HALF_MADE = """
os.register_at_fork(after_in_child=lambda: os.kill(os.getppid(), signal.SIGINT))
jobs = {"one": lambda send: time.sleep(60)}
"""
JUST_BEGUN = """
jobs = {str(number): lambda send: time.sleep(60) for number in range(10)}
jobs = {"first": lambda send: send("stop us"), **jobs}
"""
PROGRAM = """
import os, signal, time
from contextlib import closing
from multiprocessing import active_children
from crm_assets.commands.sync.workers import run_workers, signals_as_interrupt
%s
with signals_as_interrupt():
    for _ in range(%d):
        try:
            with closing(run_workers(jobs)) as messages:
                next(messages)
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            print("stopped", len(active_children()))
"""


@pytest.mark.parametrize("jobs", [HALF_MADE, JUST_BEGUN], ids=["half made", "just begun"])
def test_no_worker_is_left_behind(jobs: str) -> None:
    program = PROGRAM % (jobs, ROUNDS)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert done.stdout == "stopped 0\n" * ROUNDS


def killed_in_the_middle_of_a_message(send: SendMessage) -> None:
    pipe: Any = getattr(send, "__self__", None)
    os.write(pipe.fileno(), struct.pack("!i", 1000) + b"a part of it")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_in_the_middle_of_a_message_stops_no_other() -> None:
    jobs = {"killed": killed_in_the_middle_of_a_message, "other": lambda send: send("done")}
    messages = list(run_workers(jobs))
    assert ("killed", WorkerExit(-signal.SIGKILL)) in messages
    assert ("other", "done") in messages


def test_workers_are_stopped_where_a_further_one_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made, fork = list[int](), os.fork

    def fork_once() -> int:
        if made:
            raise BlockingIOError("Resource temporarily unavailable")
        made.append(fork())
        return made[-1]

    monkeypatch.setattr(os, "fork", fork_once)
    with pytest.raises(BlockingIOError, match="temporarily"):
        list(run_workers({name: lambda _: signal.pause() for name in ("one", "another")}))
    with pytest.raises(ProcessLookupError):
        os.kill(made[0], 0)


class HeldUp(io.StringIO):
    """A terminal that takes no more, as when it is paused: who writes to it waits, with the lock of the bars."""

    def __init__(self) -> None:
        super().__init__()
        self.is_paused, self.goes_on, self.waited_for = False, threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        if self.is_paused:
            self.waited_for.set()
            self.goes_on.wait(30)
        return super().write(text)


def test_a_worker_writes_a_line_though_the_bars_were_being_drawn_when_it_was_forked() -> None:
    def job(send: SendMessage) -> None:
        signal.alarm(10)
        print("a line")
        send("done")

    terminal = HeldUp()
    with Progress(console=Console(file=terminal, force_terminal=True)) as bars:
        bars.add_task("one")
        terminal.is_paused = True
        assert terminal.waited_for.wait(30)
        try:
            messages = list(run_workers({"one": job}))
        finally:
            terminal.is_paused = False
            terminal.goes_on.set()
    assert messages == [("one", "done"), ("one", WorkerExit(0))]
