"""Network namespaces in the place of machines: a hub, and machines that are connected with the hub alone."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

NETWORK, HUB, HUB_HOST = "198.18.16.0/24", "crmhub", "198.18.16.1"
"""Of the addresses that are set aside for benchmarks (RFC 2544)."""
_FIRST = 11
"""Last part of the first machine's address."""


def ip(*arguments: str) -> str:
    """Run iproute2's ``ip`` and return what it prints."""
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


@contextmanager
def namespaces(machines: Sequence[str]) -> Iterator[None]:
    """Make the hub's namespace and those of machines, each connected with the hub alone."""
    with ExitStack() as made:
        for name in (HUB, *machines):
            ip("netns", "add", name)
            made.callback(_remove, name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", HUB, "link", "add", "bridge", "type", "bridge")
        ip("-n", HUB, "addr", "add", f"{HUB_HOST}/24", "dev", "bridge")
        ip("-n", HUB, "link", "set", "bridge", "up")
        for number, name in enumerate(machines, start=_FIRST):
            ip("-n", HUB, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", HUB, "link", "set", name, "master", "bridge", "up")
            ip("-n", name, "addr", "add", f"198.18.16.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield


def _remove(name: str) -> None:
    kill(name)
    ip("netns", "del", name)


def kill(name: str) -> None:
    """End all processes of a namespace with ``kill -9``."""
    for pid in ip("netns", "pids", name).split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def position(address: str) -> int:
    """Return which of the machines has an address."""
    return int(address.rpartition(".")[2]) - _FIRST


def cut_off(name: str) -> None:
    """Take a machine's network away: its peers are not told that connections are closed."""
    ip("-n", HUB, "link", "set", name, "down")


def connect(name: str) -> None:
    """Give a machine its network back."""
    ip("-n", HUB, "link", "set", name, "up")
