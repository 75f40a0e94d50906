"""A page of a list, and what is noted of the pages a walk sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from crm_assets.extract.decode.records import Records
from crm_assets.extract.errors import ReadError
from crm_assets.extract.http.request import Request
from crm_assets.extract.paging.list_memory import ListMemory
from crm_assets.extract.paging.movement import Sighting
from crm_assets.extract.paging.response_body import ResponseBody
from crm_assets.extract.paging.signs import as_int, doubts_of


@dataclass(frozen=True)
class Page:
    """One answered page."""

    envelope: ResponseBody
    records: Records
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Headers of the answer; names in any case."""
    request: Request | None = field(default=None, compare=False)
    """What was asked, to ask it again."""
    kept: bool = field(default=False, compare=False)
    """Whether an interrupted run read it, and what it says of the list's length is of that time."""
    further: tuple[Request, ...] = field(default=(), compare=False)
    """Requests of the other files of the export job that made it."""

    @property
    def count(self) -> int:
        """Records of the page, those included that the declaration leaves out."""
        return self.records.count + self.records.left_out


FetchPage = Callable[[Request, str], Awaitable[Page]]
"""Sends a request; the text names the page in errors."""


@dataclass
class PagingState:
    """What a walk saw, beside the rows.

    Args:
        memory: What earlier reads learned of the list's paging, and where this one adds to it.
    """

    memory: ListMemory = field(default_factory=ListMemory)
    pages: int = 0
    filled: int = 0
    """Pages with records."""
    records: int = 0
    """Records on the pages so far."""
    ended_by: str = ""
    assumed: str = ""
    """What was taken for the end though nothing proves it."""
    found: str = ""
    """What was not declared but detected."""
    overlaps: bool = False
    """Whether each page begins with the last record of the one before because the paging says so."""
    follows: bool = False
    """Whether each page names the next one, so that a name on the last page was looked at."""
    doubts: list[str] = field(default_factory=list)
    """What contradicts the declared end, as clauses."""
    failed: str = ""
    """The first page that says beside its records that something failed."""
    totals: list[int] = field(default_factory=list)
    """The numbers of records that answers reported, where they differ from the one before."""
    shifts: int = 0
    """Pages that begin with the last record of the page before."""
    visited: list[tuple[Request | None, tuple[object, ...]]] = field(default_factory=list, repr=False)
    """Request and fingerprint of each page with records."""
    repeats: int = 0
    """Records that pages repeat because the paging says so."""
    last: tuple[object, ...] = field(default=(), repr=False)
    """Fingerprint of the last page."""
    _last_page: Page | None = field(default=None, repr=False)
    """The last page with records."""
    _seen: set[int] = field(default_factory=set, repr=False)
    """Hashes of all pages' fingerprints."""

    @property
    def reported_total(self) -> int | None:
        """Number of records that the last answer reported which reports any."""
        return self.totals[-1] if self.totals else None

    @property
    def sighting(self) -> Sighting:
        """What the walk saw of a list that may move."""
        pages = tuple(fingerprint for _, fingerprint in self.visited)
        return Sighting(pages, self.records, tuple(self.totals), self.shifts)

    def repeats_the_last(self, page: Page) -> bool:
        """Whether a page has the records of the page before it."""
        return self.pages > 0 and page.count > 0 and page.records.fingerprint == self.last

    def has_seen(self, page: Page) -> bool:
        """Whether a page has the records of any page before it."""
        return page.count > 0 and hash(page.records.fingerprint) in self._seen

    def note(self, page: Page, name: str) -> None:
        """Count a page; a page served twice is an error, since another was not served.

        Raises:
            ReadError: The page equals one before.
        """
        fingerprint = page.records.fingerprint
        self.failed = self.failed or (name if page.envelope.error else "")
        if self.has_seen(page):
            if fingerprint == self.last:
                raise ReadError(f"{name} repeats the page before: the server ignores the paging parameter")
            raise ReadError(f"{name} repeats an earlier page: the server begins the list again, or mixes its pages up")
        if self._last_page and self._last_page.kept and not page.kept:
            self.totals.clear()  # the page at hand shows that nothing moved before it, whatever came behind it
        self.shifts += not self.overlaps and _begins_where_it_ended(self.last, fingerprint)
        if page.count:
            self.visited.append((page.request, fingerprint))
        self.pages += 1
        self.filled += page.count > 0
        self.records += page.count
        self.last = fingerprint
        self._last_page = page if page.count else self._last_page
        self._seen.add(hash(fingerprint))

    def note_total(self, page: Page, path: tuple[str, ...] | None, name: str) -> None:
        """Take note of the number of records a page reports at a path of its body, if it does.

        Raises:
            ReadError: It is not a number.
        """
        total = reported(page, path, name)
        if total is not None and total != self.reported_total:
            self.totals.append(total)

    def end(self, how: str) -> None:
        """Note how the list ended, and what the last answer says against it."""
        self.ended_by = how
        self.memory.filled = self.filled
        if self.failed and not self.assumed:
            self.assumed = f"{self.failed} reports an error beside its records, so some may be missing"
        if self._last_page is not None:
            last = self._last_page
            found = doubts_of(last.envelope.beside, last.headers, self.records, self.filled, links=not self.follows)
            self.doubts = found


def _begins_where_it_ended(before: tuple[object, ...], page: tuple[object, ...]) -> bool:
    """Whether a page begins with the key that the page before ended with; fingerprints are count, first, last key."""
    keys = (len(page) - 1) // 2
    return keys > 0 and len(before) == len(page) and before[1 + keys :] == page[1 : 1 + keys]


def begins_alike(before: tuple[object, ...], page: tuple[object, ...]) -> bool:
    """Whether two pages begin with the same key, or are the same where there are no keys."""
    keys = (len(page) - 1) // 2
    return before == page or (keys > 0 and len(before) == len(page) and before[1 : 1 + keys] == page[1 : 1 + keys])


def reported(page: Page, path: tuple[str, ...] | None, name: str) -> int | None:
    """Return the count a page reports at a path of its body, or ``None`` where it reports none.

    Raises:
        ReadError: There is something else than a number.
    """
    value = page.envelope.fact(path)
    count = as_int(value)
    if count is None and value not in (None, "") and not isinstance(value, bool):
        raise ReadError(f"{name} reports {str(value)[:40]!r} at {'.'.join(path or ())!r}, which is not a count")
    return None if count is None or count < 0 else count


def with_page_size(location: str, name: str | None, limit: int | None, request: Request) -> Request:
    """Return the request with its page size, where it has one."""
    if name is None or limit is None:
        return request
    return request.given("json" if location == "json" else "query", name, limit)
