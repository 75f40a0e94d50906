"""Faults: what real APIs and networks do to a reader, on demand."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

FaultKind = Literal[
    "status",
    "delay",
    "hang",
    "redirect",
    "reset",
    "truncated",
    "html",
    "scalar",
    "list_absent",
    "list_keyed",
    "foreign_link",
    "empty_page",
    "page_ignored",
    "duplicates",
    "inserted",
    "deleted",
    "null_id",
    "long_ids",
    "wrong_type",
    "unknown_field",
    "twin_field",
    "odd_fields",
    "nulls_absent",
]
"""What goes wrong:

==================  ====================================================================================================
``status``          the answer is an error, with ``status`` and, where given, ``retry_after``
``delay``           the right answer, ``seconds`` late
``hang``            no answer for ``seconds``, or until the client gives up
``redirect``        a redirect to the same address on another ``host``
``reset``           the connection breaks in the middle of the body
``truncated``       half of the JSON, as if it were all of it
``html``            a login page, with status 200
``scalar``          a JSON body that is no object or array (``value``, or a text)
``list_absent``     the body without the key that holds the list
``list_keyed``      the list as an object keyed by id
``foreign_link``    the link to the next page points at another ``host``
``empty_page``      a page without rows where there are some
``page_ignored``    the first page, whatever was asked for
``duplicates``      the page begins with the last row of the page before
``inserted``        a row was inserted before ``page`` (the second when left out) was read: rows shift to the next page
``deleted``         a row was deleted before ``page`` was read: one row shifts to a page that was read already
``null_id``         the key of the first row is null
``long_ids``        keys are numbers of 31 digits
``wrong_type``      ``field`` of the first row (or a fitting one) is of another type (``value``)
``unknown_field``   rows have a further field (``field``, ``value``)
``twin_field``      rows have ``Name`` beside ``name``
``odd_fields``      rows have fields with spaces, dots, umlauts and emoji in their names
``nulls_absent``    fields without a value are left out instead of being null
==================  ====================================================================================================
"""

_FROM_PAGE_ON = ("inserted", "deleted")


@dataclass
class Fault:
    """One thing that goes wrong with the requests it matches; ``None`` matches any.

    Raises:
        ValueError: The kind is not known.
    """

    kind: FaultKind
    connection: str | None = None
    resource: str | None = None
    page: int | None = None
    """Place of the page in its list, from 1, however the API counts."""
    parent: Any = None
    """Value that binds the list to its parent."""
    times: int | None = None
    """Only for the first that many matching requests; ``None``: for all."""
    status: int | None = None
    """Status of a ``status`` (500) or ``redirect`` (302)."""
    retry_after: int | None = None
    """Seconds of a Retry-After header; none is sent when left out."""
    retry_after_date: bool = False
    """Send Retry-After as a date instead of as seconds."""
    seconds: float | None = None
    """How long a ``delay`` (1) or ``hang`` (600) lasts."""
    host: str | None = None
    """Host and port of a ``redirect`` or ``foreign_link``; ``localhost`` with the sandbox's own port when left out."""
    field: str | None = None
    """Column or new field that a fault of a row's content concerns."""
    value: Any = None
    """What such a field, or a ``scalar`` body, holds."""
    met: int = dataclasses.field(default=0, init=False)
    """How many requests met it so far."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"unknown kind of fault {self.kind!r}; known: {', '.join(get_args(FaultKind))}")

    def matches(self, connection: str, resource: str, page: int, parent: Any) -> bool:
        """Return whether it applies to a request for this page."""
        if self.times is not None and self.met >= self.times:
            return False
        at_page = page >= (self.page or 2) if self.kind in _FROM_PAGE_ON else self.page in (None, page)
        wanted = (self.connection in (None, connection), self.resource in (None, resource))
        return at_page and all(wanted) and (self.parent is None or str(self.parent) == str(parent))


class FaultPlan:
    """The faults to come; may be changed while the sandbox serves."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def push(self, *faults: Fault) -> None:
        """Add faults."""
        with self._lock:
            self._faults.extend(faults)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def take(self, connection: str, resource: str, page: int, parent: Any = None) -> ActiveFaults:
        """Return the faults that apply to a request, and count it."""
        with self._lock:
            found = [fault for fault in self._faults if fault.matches(connection, resource, page, parent)]
            for fault in found:
                fault.met += 1
        return ActiveFaults(tuple(found))

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(list(self._faults))

    def __len__(self) -> int:
        return len(self._faults)


@dataclass(frozen=True)
class ActiveFaults:
    """The faults that apply to one request."""

    faults: tuple[Fault, ...] = ()

    def get(self, kind: FaultKind) -> Fault | None:
        """Return the first fault of that kind."""
        return next((fault for fault in self.faults if fault.kind == kind), None)

    def __contains__(self, kind: FaultKind) -> bool:
        return self.get(kind) is not None
