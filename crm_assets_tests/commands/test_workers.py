"""Worker processes: stopped whole and without a word, however early the signal comes."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
