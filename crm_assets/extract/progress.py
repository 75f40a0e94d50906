"""Who is told how far a read is: the command line's progress bars, when there are any."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_assets.extract.resource_reader import ProgressCallback

_SECONDS = 0.1
_listener: Callable[[str], ProgressCallback] | None = None


def listen(listener: Callable[[str], ProgressCallback] | None) -> None:
    """Let a listener be told of all reads of this process; it gives one watch per connection."""
    global _listener
    _listener = listener


def watch_of(connection: str) -> ProgressCallback | None:
    """Return whom a connection's reads tell, ten times a second at most."""
    return _seldom(_listener(connection)) if _listener else None


def _seldom(watch: ProgressCallback) -> ProgressCallback:
    told = 0.0

    def watch_seldom(resource: str, pages: int, rows: int) -> None:
        nonlocal told
        if time.monotonic() - told > _SECONDS:
            told = time.monotonic()
            watch(resource, pages, rows)

    return watch_seldom
