"""Paging: how a list is walked and, explicitly, how its end is known."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from crm_assets.declarations.json_path import JsonPath
from crm_assets.declarations.models.base import Spec

End: TypeAlias = Literal["empty_page", "short_page", "total_pages", "has_more", "no_next_link"]
Location: TypeAlias = Literal["query", "json"]


class SinglePage(Spec):
    """The whole list comes in one answer."""

    type: Literal["single_page"]
    total_records_path: JsonPath | None = None
    """Where the body tells the number of records; the read must agree with it, so that a cap on the answer shows."""


class _Sized(Spec):
    """What all paged lists share: how many records are asked for at once."""

    limit_param: str | None = Field(default=None, min_length=1)
    """Parameter of the page size: a query parameter, or a path in the JSON body (``location: json``)."""
    limit: int | None = Field(default=None, ge=1)
    """Records asked for per page."""

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
    ``total_pages`` / ``has_more``: what the body says at the path below; its absence is an error.
    ``no_next_link``: nothing stands at ``next_link_path``; the link itself is not resolve_url."""
    total_pages_path: JsonPath | None = None
    """Where the body tells the number of pages. Beside another ``end`` it is used wherever it is present."""
    total_records_path: JsonPath | None = None
    """Where the body tells the number of records; the read must agree with it."""
    has_more_path: JsonPath | None = None
    """Where the body tells whether another page follows."""
    next_link_path: JsonPath | None = None
    """Where the body links to the next page, if there is one."""
    on_repeat: Literal["error", "end"] = "error"
    """What a second page equal to the first means. ``error``: the server ignores the paging parameter. ``end``: the
    API need not page this list, and gave it whole."""

    @model_validator(mode="after")
    def _end_can_be_seen(self) -> _Counted:
        if self.end == "total_pages" and not self.total_pages_path:
            raise ValueError("end: total_pages needs total_pages_path")
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


class Offset(_Counted):
    """``?offset=0&limit=100``, ``?offset=100&limit=100`` and so on."""

    type: Literal["offset"]
    offset_param: str = Field(default="offset", min_length=1)
    start_offset: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _has_limit(self) -> Offset:
        if not self.limit:
            raise ValueError("an offset paginator needs limit and limit_param")
        return self


class JsonLink(_Sized):
    """The body links to the next page; a missing or null link ends the list."""

    type: Literal["json_link"]
    next_url_path: JsonPath


class CursorPage(_Sized):
    """The body tells a cursor for the next page; a missing cursor ends the list."""

    type: Literal["cursor"]
    cursor_path: JsonPath
    cursor_param: str = Field(min_length=1)
    location: Location = "query"
    overlap: bool = False
    """The next page repeats the record the cursor names; a page with no new record ends the list."""


def counter(paginator: Paginator) -> tuple[str | None, Location | None]:
    """Return the parameter that differs from page to page and where it stands; ``(None, None)`` where none does.

    Raises:
        ValueError: The page size goes into that same parameter.
    """
    if isinstance(paginator, PageNumber):
        name = paginator.page_param
    elif isinstance(paginator, Offset):
        name = paginator.offset_param
    elif isinstance(paginator, CursorPage):
        name = paginator.cursor_param
    else:
        return None, None
    if paginator.limit_param == name:
        raise ValueError(f"paginator: {name} cannot be both the page and limit_param")
    return name, paginator.location


def _from_name(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


Paginator: TypeAlias = Annotated[SinglePage | PageNumber | Offset | JsonLink | CursorPage, Field(discriminator="type")]
PaginatorField: TypeAlias = Annotated[Paginator, BeforeValidator(_from_name)]
