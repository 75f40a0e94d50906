"""A phase: a fleet with databases of its own that runs for as long as something is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from machines.dagster_ui import watch_for_lost_machines
from machines.fleet import Fleet, Machine
from machines.hub import running


@contextmanager
def phase(name: str, folder: Path, file: Path, machines: Sequence[str]) -> Iterator[tuple[Fleet, dict[str, Machine]]]:
    """Give a fleet with databases of its own."""
    fleet = Fleet(name, folder, file, len(machines))
    with running(fleet, machines) as found:
        watch_for_lost_machines()
        yield fleet, found
