"""Paging: how a list is walked and, explicitly, how its end is known."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Union

from pydantic import BeforeValidator, Field, model_validator

from crm_assets.spec.base import Spec
from crm_assets.spec.paths import JsonPath

End = Literal["empty_page", "short_page", "total_pages", "has_more"]


class SinglePage(Spec):
    """The whole list comes in one answer."""

    type: Literal["single_page"]


class _Counted(Spec):
    """What page numbers and offsets share: a page size, a place for both, and the rule that ends the list."""

    limit_param: str | None = None
    """Parameter of the page size: a query parameter, or a path in the JSON body (``location: json``)."""
    limit: int | None = Field(default=None, ge=1)
    """Records asked for per page."""
    location: Literal["query", "json"] = "query"
    end: End
    """The rule that ends the list. ``empty_page``: a page without records. ``short_page``: fewer than ``limit``.
    ``total_pages`` / ``has_more``: what the body says at the path below; its absence is an error."""
    total_pages_path: JsonPath | None = None
    """Where the body tells the number of pages. Beside another ``end`` it is used wherever it is present."""
    total_records_path: JsonPath | None = None
    """Where the body tells the number of records; the read must agree with it."""
    has_more_path: JsonPath | None = None
    """Where the body tells whether another page follows."""

    @model_validator(mode="after")
    def _end_can_be_seen(self) -> _Counted:
        if self.end == "total_pages" and not self.total_pages_path:
            raise ValueError("end: total_pages needs total_pages_path")
        if self.end == "has_more" and not self.has_more_path:
            raise ValueError("end: has_more needs has_more_path")
        if self.end == "short_page" and not self.limit:
            raise ValueError("end: short_page needs limit")
        if self.limit and not self.limit_param:
            raise ValueError("limit needs limit_param")
        return self


class PageNumber(_Counted):
    """``?page=1``, ``?page=2``, …, or the same inside the JSON body."""

    type: Literal["page_number"]
    page_param: str = "page"
    start_from_page: int = Field(default=1, ge=0)
    """Number of the first page."""


class Offset(_Counted):
    """``?offset=0&limit=100``, ``?offset=100&limit=100``, …"""

    type: Literal["offset"]
    offset_param: str = "offset"
    start_offset: int = 0

    @model_validator(mode="after")
    def _has_limit(self) -> Offset:
        if not self.limit:
            raise ValueError("an offset paginator needs limit and limit_param")
        return self


class JsonLink(Spec):
    """The body links to the next page; a missing or null link ends the list."""

    type: Literal["json_link"]
    next_url_path: JsonPath
    limit_param: str | None = None
    limit: int | None = None


class CursorPage(Spec):
    """The body tells a cursor for the next page; a missing cursor ends the list."""

    type: Literal["cursor"]
    cursor_path: JsonPath
    cursor_param: str
    location: Literal["query", "json"] = "query"
    limit_param: str | None = None
    limit: int | None = None
    overlap: bool = False
    """The next page repeats the record the cursor names; a page with no new record ends the list."""


def _from_name(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


Paginator = Annotated[
    Union[SinglePage, PageNumber, Offset, JsonLink, CursorPage],
    Field(discriminator="type"),
]
PaginatorField = Annotated[Paginator, BeforeValidator(_from_name)]
