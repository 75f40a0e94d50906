"""Run a command as a whole process, from exec to exit, and measure it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.1
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1_048_576


@dataclass(frozen=True)
class Measured:
    """What one run cost."""

    wall: float
    """Seconds from exec to exit."""
    cpu: float
    """User and system seconds of the process and the children it waited for."""
    peak_mb: float
    """Greatest sum of resident memory over the process tree."""
    status: int
    """Exit status; -9 after a time-out."""


def run(command: list[str], folder: Path, environment: dict[str, str], timeout: float) -> Measured:
    """Run ``command`` in ``folder`` and measure it; its output goes to ``folder/output.log``.

    Args:
        command: Program and arguments.
        folder: Working folder.
        environment: The whole environment.
        timeout: Seconds until the run is killed, with all it started.
    """
    with (folder / "output.log").open("ab") as log:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        watch = _Watch(process.pid, start + timeout)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.ended.set()
        watch.join()
    return Measured(round(wall, 3), round(usage.ru_utime + usage.ru_stime, 3), round(watch.peak, 1), process.returncode)


class _Watch(threading.Thread):
    """Samples the memory of a process tree until it ends or its time is up."""

    def __init__(self, root: int, deadline: float) -> None:
        super().__init__(daemon=True)
        self.root, self.deadline = root, deadline
        self.peak = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        """FirstPage, and kill the process group once at the deadline."""
        while not self.ended.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, tree_mb(self.root))
            if time.perf_counter() > self.deadline:
                os.killpg(self.root, 9)
                return


def tree_mb(root: int) -> float:
    """Return the resident memory of a process and all its descendants in MB."""
    resident, children = _processes()
    total, waiting = 0.0, [root]
    while waiting:
        pid = waiting.pop()
        total += resident.get(pid, 0)
        waiting += children.get(pid, [])
    return total


def _processes() -> tuple[dict[int, float], dict[int, list[int]]]:
    """Return the memory in MB of each process, and each one's children."""
    resident: dict[int, float] = {}
    children: dict[int, list[int]] = {}
    for pid, parent, megabytes in _from_proc() if Path("/proc/self/stat").exists() else _from_ps():
        resident[pid] = megabytes
        children.setdefault(parent, []).append(pid)
    return resident, children


def _from_proc() -> list[tuple[int, int, float]]:
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - sampled often, so the cheapest call
        if name.isdigit():
            try:
                fields = Path("/proc", name, "stat").read_bytes().rsplit(b")", 1)[1].split()
            except OSError:
                continue  # it ended between listing and reading
            found.append((int(name), int(fields[1]), int(fields[21]) * _PAGE_MB))
    return found


def _from_ps() -> list[tuple[int, int, float]]:
    listing = subprocess.run(["ps", "-axo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
    return [(int(pid), int(parent), int(kb) / 1_024) for pid, parent, kb in map(str.split, listing.splitlines())]
