"""Progress of reads and what they wait for, for the command line's progress bars."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

ProgressCallback: TypeAlias = Callable[[str, int, int], None]
"""Takes a resource's name and its pages and rows so far."""
SayFn: TypeAlias = Callable[[str, str], None]
"""Takes the kind of a wait (``rate``, ``pace``, ``lock``, ``retry``) and a sentence that says what is waited for."""

_UPDATE_SECONDS = 0.1
"""Seconds between two updates: ten a second look continuous."""
_LOG_SECONDS = 10.0
"""Shortest time between two lines in a log about waits of one kind; the first is written at once."""
_listener: Callable[[str], ProgressCallback] | None = None
_waiting: Callable[[str, str], None] | None = None


def listen(
    listener: Callable[[str], ProgressCallback] | None, waiting: Callable[[str, str], None] | None = None
) -> None:
    """Report all reads of this process to a listener.

    Args:
        listener: Gives one callback per connection.
        waiting: Told a connection's name and what it waits for.
    """
    global _listener, _waiting
    _listener, _waiting = listener, waiting


def watch_of(connection: str, log: Callable[[str], object]) -> ProgressCallback:
    """Return the callback for a connection's reads: at most ten times a second the listener, now and then the log.

    Args:
        connection: Its name.
        log: Takes a line.
    """
    listener, logged = _listener(connection) if _listener else None, _logged(log)

    def watch(resource: str, pages: int, rows: int) -> None:
        logged(resource, pages, rows)
        if listener:
            listener(resource, pages, rows)

    return _seldom(watch)


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


def _logged(log: Callable[[str], object]) -> ProgressCallback:
    """Return what writes a line every ten seconds about each resource that is still being read."""
    begun: dict[str, float] = {}
    said: dict[str, float] = {}

    def watch(resource: str, pages: int, rows: int) -> None:
        now = time.monotonic()
        seconds = now - begun.setdefault(resource, now)
        if now - said.setdefault(resource, now) >= _LOG_SECONDS:
            said[resource] = now
            log(f"{resource}: {rows:,} rows from {pages:,} pages so far, {rows / seconds:,.0f} rows a second")

    return watch


def _seldom(watch: ProgressCallback) -> ProgressCallback:
    told = 0.0

    def watch_seldom(resource: str, pages: int, rows: int) -> None:
        nonlocal told
        if time.monotonic() - told > _UPDATE_SECONDS:
            told = time.monotonic()
            watch(resource, pages, rows)

    return watch_seldom
