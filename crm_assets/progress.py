"""Who is told how far a read is: the command line's progress bars, when there are any."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_assets.rest.read import Watch

_listener: Callable[[str], Watch] | None = None


def listen(listener: Callable[[str], Watch] | None) -> None:
    """Let a listener be told of all reads of this process; it gives one watch per connection."""
    global _listener
    _listener = listener


def watch_of(connection: str) -> Watch | None:
    """Return whom a connection's reads tell."""
    return _listener(connection) if _listener else None
