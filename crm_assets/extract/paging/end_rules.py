"""How counted lists end: one rule for each value of ``end:``, asked after each page.

A rule looks at one page and what came before it. It answers that the list goes on, that it has ended, or that it may
have ended and the next page has to confirm it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

from typing_extensions import assert_never

from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.paginator import Offset, PageNumber
from crm_assets.extract.errors import ReadError
from crm_assets.extract.paging.list_memory import ListMemory
from crm_assets.extract.paging.page import Page, reported
from crm_assets.extract.paging.signs import is_true, names_more

REFUSED = frozenset({400, 404, 410, 416, 422})
"""Statuses by which an API may refuse a page behind the one that seems to be the last."""


@dataclass(frozen=True)
class Place:
    """Where in its list a page is."""

    index: int
    """Number of pages before it."""
    name: str
    fullest: int
    """Records of the fullest page before it."""
    before: int
    """Records of the page right before it."""
    read: int
    """Records of the list up to and with this page."""
    total: int | None
    """Records the list has, where it reports them."""
    pages: int | None
    """Pages the list has, where this page or an earlier one reports them."""

    limit: int | None
    """Records of a page that were asked for."""

    def is_full(self, count: int) -> bool:
        """Whether a page has as many records as were asked for, so that a count may be that of the page, or capped."""
        return self.limit is not None and count >= self.limit

    @property
    def after_short(self) -> bool:
        """Whether the page right before was shorter than another one."""
        return self.before < self.fullest


EndSign = Literal["last", "counted", "short", "empty", "unlinked", "refused", "repeat"]
"""What makes a list look ended: its last page says so, completes a count, is short, empty, lacks a link, is refused, or
is repeated."""


@dataclass(frozen=True)
class Ended:
    """A list has ended, as far as its rule can see."""

    how: str
    kind: EndSign = "last"
    sure: bool = True
    """Whether the next page need not confirm it."""

    def confirmed(self, kind: EndSign) -> Ended:
        """Return the end as one that is sure."""
        return replace(self, kind=kind, sure=True)


class EndRule(Protocol):
    """A rule that ends a list."""

    def check(self, page: Page, place: Place) -> Ended | None:
        """Return whether the list ends with a page.

        Raises:
            ReadError: The page does not say what the rule needs, or contradicts itself.
        """

    @property
    def reports_more(self) -> bool:
        """Whether the server itself reports that more pages follow, so that a page it refuses is not an end."""


@dataclass(frozen=True)
class EmptyPage:
    """A page without records, or one that is not full and completes the number of records the API reports.

    A full page does not end the list even so: the assumed total may be the number of records of the page.
    """

    memory: ListMemory
    limit: int | None
    reports_more: bool = False

    def check(self, page: Page, place: Place) -> Ended | None:  # noqa: D102
        count = page.count
        if not count and not place.index and place.total:
            raise ReadError(f"{place.name} is empty, though the API reports {place.total} records")
        if not count:
            sure = not place.index or place.after_short or self.memory.trusts_empty(place.index)
            return Ended(f"{place.name} is empty", "empty", sure)
        if place.total is not None and place.read >= place.total and count < (self.limit or place.fullest):
            return Ended(f"{place.name} completes the {place.total} records")
        return None


@dataclass(frozen=True)
class ShortPage:
    """A page of fewer records than were asked for; what the server serves at most may be less than that."""

    memory: ListMemory
    limit: int
    reports_more: bool = False

    def check(self, page: Page, place: Place) -> Ended | None:  # noqa: D102
        count = page.count
        completed = EmptyPage(self.memory, self.limit).check(page, place)
        if completed or count >= self.limit or place.total is not None:
            return completed
        return Ended(f"{place.name} is short", "short", sure=not place.index and self.memory.trusts_short(count))


@dataclass(frozen=True)
class TotalPages:
    """The number of pages that the body reports; where it is only used if it is there, another rule follows."""

    path: tuple[str, ...]
    otherwise: EndRule | None = None
    reports_more: bool = True

    def check(self, page: Page, place: Place) -> Ended | None:  # noqa: D102
        total = reported(page, self.path, place.name)
        total = place.pages if total is None and self.otherwise else total
        if total is None and self.otherwise:
            return self.otherwise.check(page, place)
        if total is None:
            raise ReadError(f"{place.name} does not report {path_text(self.path)!r}, which ends the list")
        if place.index >= total - 1:
            return Ended(f"{place.name} of {total} pages", "counted", sure=not place.is_full(page.count))
        if not page.count and total == place.read:
            return Ended(f"{place.name} is empty, and {total} records were read, as many as it reports")
        if not page.count:
            raise ReadError(f"{place.name} of {total} is empty, though pages follow it")
        return None


@dataclass(frozen=True)
class TotalRecords:
    """The number of records that the body reports."""

    path: tuple[str, ...]
    reports_more: bool = True

    def check(self, page: Page, place: Place) -> Ended | None:  # noqa: D102
        total = reported(page, self.path, place.name)
        if total is None:
            raise ReadError(f"{place.name} does not report {path_text(self.path)!r}, which ends the list")
        if place.read >= total:
            full = place.is_full(page.count)
            return Ended(f"{place.name} completes the {total} records", "counted", sure=not full)
        if not page.count:
            raise ReadError(f"{place.name} is empty, though {place.read} of {total} records were read")
        return None


@dataclass(frozen=True)
class HasMore:
    """A flag that says whether more pages follow."""

    path: tuple[str, ...]
    reports_more: bool = True

    def check(self, page: Page, place: Place) -> Ended | None:  # noqa: D102
        more = page.envelope.fact(self.path)
        if more is None:  # some servers leave out what is false
            how = f"{place.name} does not report {path_text(self.path)!r}, which ends the list"
            return Ended(how, "unlinked", sure=not page.count and place.index > 0)
        if not is_true(more):
            return Ended(f"{place.name} says that no more follow")
        if not page.count:
            raise ReadError(f"{place.name} is empty, though the server says that more follow")
        return None


@dataclass(frozen=True)
class NoNextLink:
    """No link to a further page; a full page without one may have lost it."""

    path: tuple[str, ...]
    limit: int
    reports_more: bool = True

    def check(self, page: Page, place: Place) -> Ended | None:  # noqa: D102
        count = page.count
        if names_more(page.envelope.fact(self.path)):
            if not count:
                raise ReadError(f"{place.name} is empty, though it links to a further page")
            return None
        sure = count < self.limit if count else not place.index
        return Ended(f"{place.name} links to no further page", "unlinked", sure)


def end_rule(paginator: PageNumber | Offset, memory: ListMemory) -> EndRule:
    """Return the rule of a paginator; a reported number of pages is used wherever it is present."""
    rule = _declared_rule(paginator, memory)
    if paginator.total_pages_path and paginator.end != "total_pages":
        return TotalPages(paginator.total_pages_path, rule)
    return rule


def _declared_rule(paginator: PageNumber | Offset, memory: ListMemory) -> EndRule:
    match paginator.end:
        case "empty_page":
            return EmptyPage(memory, paginator.limit)
        case "short_page":
            return ShortPage(memory, paginator.limit or 1)
        case "total_pages":
            return TotalPages(paginator.total_pages_path or ())
        case "total_records":
            return TotalRecords(paginator.total_records_path or ())
        case "has_more":
            return HasMore(paginator.has_more_path or ())
        case "no_next_link":
            return NoNextLink(paginator.next_link_path or (), paginator.limit or 1)
        case _:
            assert_never(paginator.end)
