"""Who is told how far a read is and what it waits for: the command line's progress bars, when there are any."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

ProgressCallback: TypeAlias = Callable[[str, int, int], None]
"""Takes a resource's name and its pages and rows so far."""
SayFn: TypeAlias = Callable[[str, str], None]
"""Takes the kind of a wait (``rate``, ``pace``, ``lock``, ``retry``) and a sentence that says what is waited for."""

_SECONDS = 0.1
"""Shortest time between two steps of progress; nobody sees more."""
_LOG_SECONDS = 10.0
"""Shortest time between two lines in a log about waits of one kind; the first is written at once."""
_listener: Callable[[str], ProgressCallback] | None = None
_waiting: Callable[[str, str], None] | None = None


def listen(
    listener: Callable[[str], ProgressCallback] | None, waiting: Callable[[str, str], None] | None = None
) -> None:
    """Let all reads of this process be told to a listener.

    Args:
        listener: Gives one callback per connection.
        waiting: Told a connection's name and what it waits for.
    """
    global _listener, _waiting
    _listener, _waiting = listener, waiting


def watch_of(connection: str) -> ProgressCallback | None:
    """Return whom a connection's reads tell, ten times a second at most."""
    return _seldom(_listener(connection)) if _listener else None


def notices(connection: str, log: Callable[[str], object] | None = None) -> SayFn:
    """Return what says a connection's waits: at once on the progress bar, and in a log without flooding it.

    Args:
        connection: Its name.
        log: Takes a line.
    """
    logged: dict[str, float] = {}

    def say(kind: str, text: str) -> None:
        if _waiting:
            _waiting(connection, text)
        now = time.monotonic()
        if log and now - logged.get(kind, -_LOG_SECONDS) >= _LOG_SECONDS:
            logged[kind] = now
            log(f"{connection}: {text}")

    return say


def say_nothing(_kind: str, _text: str) -> None:
    """Say nothing."""


def _seldom(watch: ProgressCallback) -> ProgressCallback:
    told = 0.0

    def watch_seldom(resource: str, pages: int, rows: int) -> None:
        nonlocal told
        if time.monotonic() - told > _SECONDS:
            told = time.monotonic()
            watch(resource, pages, rows)

    return watch_seldom
