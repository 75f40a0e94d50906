"""Paginators and filters of a pipeline's own code, learned by what they do with made-up answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from dlt.sources.helpers.rest_client.paginators import BasePaginator, OffsetPaginator
from requests import Request, Response

from crm_assets.declarations.importers.dlt_source.learned_filter import learned_conditions
from crm_assets.declarations.importers.dlt_source.learned_paginator import learned
from crm_assets.declarations.importers.dlt_source.stand_ins import texts_in


class Own(BasePaginator):
    """A paginator whose state is one value: what the next page is asked for with."""

    def __init__(self, first: Any = None) -> None:
        super().__init__()
        self.value = first

    def then(self, value: Any) -> None:
        self.value, self._has_next_page = value, bool(value)

    def update_request(self, request: Request) -> None:
        request.params["next"] = self.value


class Cursor(Own):
    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        self.then((response.json().get("meta") or {}).get("next_cursor"))


class CursorInTheBody(Own):
    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        body = response.json()
        self.then(body["cursor"] if "cursor" in body and body else None)

    def update_request(self, request: Request) -> None:
        request.json["after"] = self.value


class FlaggedCursor(Own):
    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        pages = response.json().get("pages", {})
        self.then(pages.get("next") if pages.get("more") else None)


class Link(Own):
    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        self.then(response.json().get("links", {}).get("next"))

    def update_request(self, request: Request) -> None:
        request.url = self.value


class Pages(Own):
    def init_request(self, request: Request) -> None:
        request.params["page"] = 1

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        self.value = (self.value or 1) + 1
        self._has_next_page = bool(data)

    def update_request(self, request: Request) -> None:
        request.params["page"] = self.value


class Sorted(Pages):
    def init_request(self, request: Request) -> None:
        request.params |= {"page": 1, "order": "id"}


class ByRecords(Own):
    """Goes on with what the last record says, which no made-up record does."""

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        self.then(data[-1]["changed_at"] if data else None)


class PartOfALink(Own):
    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        found = re.search("cursor=(.*)", response.json().get("next") or "")
        self.then(found[1] if found else None)


class Twice(Own):
    """Doubles its step: no paginator that can be declared."""

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        self.value = (self.value or 1) * 2
        self._has_next_page = bool(data)


class Changed(OffsetPaginator):
    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        super().update_state(response, data)
        self._has_next_page = len(data or ()) == self.limit * 2


@pytest.mark.parametrize(
    ("paginator", "declared"),
    [
        (Cursor(), {"type": "cursor", "cursor_path": "meta.next_cursor", "cursor_param": "next"}),
        (
            CursorInTheBody(),
            {"type": "cursor", "cursor_path": "cursor", "cursor_param": "after", "location": "json"},
        ),
        (
            FlaggedCursor(),
            {
                "type": "cursor",
                "cursor_path": "pages.next",
                "cursor_param": "next",
                "has_more_path": "pages.more",
                "end": "has_more",
            },
        ),
        (Link(), {"type": "json_link", "next_url_path": "links.next"}),
        (Pages(), {"type": "page_number", "page_param": "page", "start_from_page": 1, "end": "empty_page"}),
        (
            Sorted(),
            {
                "type": "page_number",
                "page_param": "page",
                "start_from_page": 1,
                "end": "empty_page",
                "__sent__": {"params": {"order": "id"}},
            },
        ),
        (ByRecords(), None),
        (PartOfALink(), None),
        (Twice(), None),
        (Changed(limit=5, total_path=None), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BasePaginator) else "",
)
def test_a_paginator_is_what_it_does_or_unclear(paginator: BasePaginator, declared: dict[str, Any] | None) -> None:
    assert learned(paginator) == declared


@pytest.mark.parametrize(
    ("passes", "conditions"),
    [
        (lambda row: row["state"] == "open", [{"field": "state", "in": ["open"]}]),
        (lambda row: row.get("state") != "spam", [{"field": "state", "not_in": ["spam"]}]),
        (lambda row: row["state"] in ("open", "won"), [{"field": "state", "in": ["open", "won"]}]),
        (lambda row: row["active"], [{"field": "active", "not_in": [None, False, 0, ""]}]),
        (lambda row: row["size"] < 10, None),
        (lambda row: row["name"].startswith("A"), None),
        (lambda row: row["a"] == "x" and row["b"], None),
        (lambda row: True, None),
        (lambda row: len(str(row["name"])) > 3, None),
    ],
)
def test_a_filter_is_what_it_lets_pass_or_unclear(
    passes: Callable[[Any], Any], conditions: list[dict[str, Any]] | None
) -> None:
    assert learned_conditions(passes, sorted(texts_in(passes))) == conditions
