"""A page of a list, and what is noted of the pages a walk sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.response_body import ResponseBody


@dataclass(frozen=True)
class Page:
    """One answered page."""

    envelope: ResponseBody
    records: Records
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Headers of the answer; names in any case."""


FetchPage = Callable[[Request, str], Awaitable[Page]]
"""Sends a request; the text names the page in errors."""


@dataclass
class PagingState:
    """What a walk saw, beside the rows."""

    pages: int = 0
    ended_by: str = ""
    assumed: str = ""
    """What was taken for the end though nothing proves it."""
    found: str = ""
    """What was not declared and found by looking."""
    records: int = 0
    """Records on the pages so far."""
    reported_total: int | None = None
    repeats: int = 0
    """Records that pages repeat because the paging says so."""
    last: tuple[object, ...] = field(default=(), repr=False)
    _seen: set[int] = field(default_factory=set, repr=False)
    """Hashes of all pages' fingerprints."""

    def note(self, page: Page, name: str) -> None:
        """Count a page; a page served twice is an error, since another was not served.

        Raises:
            ReadError: The page equals one before.
        """
        self.pages += 1
        self.records += page.records.count
        fingerprint = page.records.fingerprint
        if page.records.count and hash(fingerprint) in self._seen:
            which = "the page before" if fingerprint == self.last else "an earlier page"
            raise ReadError(f"{name} repeats {which}: the server ignores the paging parameter")
        self.last = fingerprint
        self._seen.add(hash(fingerprint))

    def note_total(self, page: Page, path: tuple[str, ...] | None) -> None:
        """Take note of the number of records a page tells at a path of its body, if it does.

        Raises:
            ReadError: It is smaller than a page before told.
        """
        total = whole(page.envelope.fact(path))
        if total is None:
            return
        if self.reported_total is not None and total < self.reported_total:
            raise ReadError(
                f"the API reports {total} records where it reported {self.reported_total} before: rows were deleted "
                f"while paging, and others moved to pages already read. Run it again"
            )
        self.reported_total = total


def limited(location: str, name: str | None, limit: int | None, request: Request) -> Request:
    """Return the request with its page size, where it has one."""
    if name is None or limit is None:
        return request
    return request.given("json" if location == "json" else "query", name, limit)


def whole(value: object) -> int | None:
    """Return a whole number, also one that stands as text, or ``None``."""
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
