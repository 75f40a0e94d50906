"""Paging: how a list is walked and, explicitly, how its end is known."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator
from typing_extensions import assert_never

from crm_assets.declarations.json_path import JsonPath
from crm_assets.declarations.models.base import Spec

End: TypeAlias = Literal["empty_page", "short_page", "total_pages", "total_records", "has_more", "no_next_link"]
Stop: TypeAlias = Literal["no_next", "has_more", "empty_page", "short_page", "repeat"]
Location: TypeAlias = Literal["query", "json"]


class SinglePage(Spec):
    """The whole list comes in one answer."""

    type: Literal["single_page"]
    total_records_path: JsonPath | None = None
    """Where the body reports the number of records; the read must agree with it, so that a cap on the answer shows."""


class Auto(Spec):
    """How the list is paged is not declared: the first answer of each read is looked at.

    A ``Link`` header, a link in the body, a number of pages or a cursor there is followed to the end it names, and the
    read says what it found. Where there is none of them the answer is taken for the whole list, and the completeness
    check warns that its end is assumed.
    """

    type: Literal["auto"]


class _Sized(Spec):
    """What all paged lists share: how many records are asked for at once."""

    limit_param: str | None = Field(default=None, min_length=1)
    """Parameter of the page size: a query parameter, or a path in the JSON body (``location: json``)."""
    limit: int | None = Field(default=None, ge=1)
    """Records asked for per page."""
    max_pages: int | None = Field(default=None, ge=1)
    """Read no further than this page; a list cut short by it is loaded, and the completeness check warns."""

    @model_validator(mode="after")
    def _limit_has_a_place(self) -> _Sized:
        if self.limit and not self.limit_param:
            raise ValueError("limit needs limit_param")
        return self


class _Counted(_Sized):
    """What page numbers and offsets share: a page size, a place for both, and the rule that ends the list."""

    location: Location = "query"
    end: End
    """The rule that ends the list. ``empty_page``: a page without records. ``short_page``: fewer than ``limit``.
    ``total_pages``, ``total_records``, ``has_more``: what the body says at the path below; its absence is an error.
    ``no_next_link``: there is nothing at ``next_link_path``; the link itself is not followed."""
    total_pages_path: JsonPath | None = None
    """Where the body reports the number of pages. Beside another ``end`` it is used wherever it is present."""
    total_records_path: JsonPath | None = None
    """Where the body reports the number of records; the read must agree with it."""
    has_more_path: JsonPath | None = None
    """Where the body reports whether another page follows."""
    next_link_path: JsonPath | None = None
    """Where the body links to the next page, if there is one."""
    on_repeat: Literal["error", "end"] = "error"
    """What a second page equal to the first means. ``error``: the server ignores the paging parameter. ``end``: the
    API need not page this list, and gave it whole."""

    @model_validator(mode="after")
    def _end_can_be_seen(self) -> _Counted:
        if self.end == "total_pages" and not self.total_pages_path:
            raise ValueError("end: total_pages needs total_pages_path")
        if self.end == "total_records" and not self.total_records_path:
            raise ValueError("end: total_records needs total_records_path")
        if self.end == "has_more" and not self.has_more_path:
            raise ValueError("end: has_more needs has_more_path")
        if self.end == "no_next_link" and not self.next_link_path:
            raise ValueError("end: no_next_link needs next_link_path")
        if self.end == "short_page" and not self.limit:
            raise ValueError("end: short_page needs limit")
        return self


class PageNumber(_Counted):
    """``?page=1``, ``?page=2`` and so on, or the same inside the JSON body."""

    type: Literal["page_number"]
    page_param: str = Field(default="page", min_length=1)
    start_from_page: int = Field(default=1, ge=0)
    """Number of the first page."""

    @property
    def counter(self) -> str:
        """The parameter that differs from page to page."""
        return self.page_param

    @property
    def first(self) -> int:
        """Its value for the first page."""
        return self.start_from_page


class Offset(_Counted):
    """``?offset=0&limit=100``, ``?offset=100&limit=100`` and so on; without a limit, by the records of a page."""

    type: Literal["offset"]
    offset_param: str = Field(default="offset", min_length=1)
    start_offset: int = Field(default=0, ge=0)

    @property
    def counter(self) -> str:
        """The parameter that differs from page to page."""
        return self.offset_param

    @property
    def first(self) -> int:
        """Its value for the first page."""
        return self.start_offset


class _Followed(_Sized):
    """What lists share whose answers name the next page: a rule for the end beside "no next page is named"."""

    end: Stop = "no_next"
    """What ends the list beside an answer that names no next page. ``has_more``: a false value at ``has_more_path``.
    ``empty_page``: a page without records. ``short_page``: fewer than ``limit``. ``repeat``: a link or cursor that was
    followed before; otherwise that is an error."""
    has_more_path: JsonPath | None = None
    """Where the body reports whether another page follows."""

    @model_validator(mode="after")
    def _stop_can_be_seen(self) -> _Followed:
        if self.end == "has_more" and not self.has_more_path:
            raise ValueError("end: has_more needs has_more_path")
        if self.end == "short_page" and not self.limit:
            raise ValueError("end: short_page needs limit")
        return self


class JsonLink(_Followed):
    """The body links to the next page."""

    location: ClassVar[Location] = "query"

    type: Literal["json_link"]
    next_url_path: JsonPath


class HeaderLink(_Followed):
    """The ``Link`` header links to the next page."""

    location: ClassVar[Location] = "query"

    type: Literal["header_link"]
    links_next_key: str = Field(default="next", min_length=1)
    """Relation of the link, as in ``rel="next"``."""


class CursorPage(_Followed):
    """The body contains a cursor for the next page."""

    type: Literal["cursor"]
    cursor_path: JsonPath
    cursor_param: str = Field(min_length=1)
    location: Location = "query"
    overlap: bool = False
    """The next page repeats the record the cursor names; a page with no new record ends the list."""


class HeaderCursor(_Followed):
    """A header of the answer contains a cursor for the next page."""

    type: Literal["header_cursor"]
    cursor_key: str = Field(default="next", min_length=1)
    """Name of the header."""
    cursor_param: str = Field(default="cursor", min_length=1)
    location: Location = "query"


def counter(paginator: Paginator) -> tuple[str | None, Location | None]:
    """Return the parameter that differs from page to page and where it stands; ``(None, None)`` where none does.

    Raises:
        ValueError: The page size goes into that same parameter.
    """
    match paginator:
        case SinglePage() | Auto() | JsonLink() | HeaderLink():
            return None, None
        case PageNumber() | Offset():
            name = paginator.counter
        case CursorPage() | HeaderCursor():
            name = paginator.cursor_param
        case _:
            assert_never(paginator)
    if paginator.limit_param == name:
        raise ValueError(f"paginator: {name} cannot be both the page and limit_param")
    return name, paginator.location


def _from_name(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


Paginator: TypeAlias = Annotated[
    Auto | SinglePage | PageNumber | Offset | JsonLink | HeaderLink | CursorPage | HeaderCursor,
    Field(discriminator="type"),
]
PaginatorField: TypeAlias = Annotated[Paginator, BeforeValidator(_from_name)]
