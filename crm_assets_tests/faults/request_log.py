"""The log of requests, for tests to count and compare."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class LoggedRequest:
    """One request as it came, and how it was answered."""

    method: str
    path: str
    """Whole path, with the connection's name."""
    query: dict[str, Any]
    """Parameters; one given more than once is a list."""
    headers: dict[str, str]
    """Names in lower case. Credentials are kept: they are the sandbox's own."""
    body: Any
    """Decoded JSON body, else the text, else ``None``."""
    connection: str | None = None
    resource: str | None = None
    page: int | None = None
    """Place of the page in its list, from 1, however the API counts."""
    status: int | None = None
    faults: tuple[str, ...] = ()
    """Kinds of the faults that applied to it."""
    at: float = field(default_factory=time.monotonic)
    """Seconds on a clock that only runs forward."""


class RequestLog:
    """The latest requests, oldest first.

    Args:
        size: How many to keep.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._entries: deque[LoggedRequest] = deque(maxlen=size)
        self._lock = threading.Lock()

    def append(self, entry: LoggedRequest) -> None:
        """Add a request."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._entries.clear()

    def of(self, connection: str | None = None, resource: str | None = None) -> list[LoggedRequest]:
        """Return the requests of a connection and of a resource; ``None`` stands for any."""
        return [
            entry for entry in self if connection in (None, entry.connection) and resource in (None, entry.resource)
        ]

    def __iter__(self) -> Iterator[LoggedRequest]:
        with self._lock:
            return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
