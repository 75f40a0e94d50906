"""Worker processes: stopped whole, however early the signal comes."""

from __future__ import annotations

import subprocess
import sys

ROUNDS = 20
PROGRAM = f"""
import os, signal, time
from contextlib import closing
from multiprocessing import active_children
from crm_assets.workers import side_by_side, terminable

os.register_at_fork(after_in_child=lambda: os.kill(os.getppid(), signal.SIGINT))
with terminable():
    for _ in range({ROUNDS}):
        try:
            with closing(side_by_side({{"one": lambda send: time.sleep(60)}})) as messages:
                list(messages)
        except KeyboardInterrupt:
            print("stopped", len(active_children()))
"""


def test_ctrl_c_while_a_worker_is_made_leaves_none_behind() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout == "stopped 0\n" * ROUNDS
