"""Endpoints: what is waited before a try again, and which lists are accepted."""

from __future__ import annotations

import pytest

from crm_assets.declarations.models.endpoint import ErrorHandler
from crm_assets_tests.declarations.desk import Desk


@pytest.mark.parametrize(
    ("handler", "waits"),
    [
        (ErrorHandler(), [2, 4, 8]),
        (ErrorHandler(backoff_factor=0.5), [0.5, 1, 2]),
        (ErrorHandler(backoff_factor=0), [0, 0, 0]),
        (ErrorHandler(backoff_constant=60), [60, 60, 60]),
    ],
)
def test_waiting(handler: ErrorHandler, waits: list[float]) -> None:
    assert [handler.wait(attempt) for attempt in (1, 2, 3)] == waits


@pytest.mark.parametrize(
    "paginator",
    [
        {"type": "single_page"},
        {"type": "page_number", "end": "short_page", "limit_param": "n", "limit": 5},
        {"type": "page_number", "end": "total_pages", "total_pages_path": "meta.pages"},
        {"type": "page_number", "end": "has_more", "has_more_path": "more", "start_from_page": 0},
        {"type": "offset", "end": "empty_page", "limit_param": "n", "limit": 5},
        {"type": "json_link", "next_url_path": "links.next"},
        {"type": "cursor", "cursor_path": "next", "cursor_param": "after", "overlap": True},
    ],
)
def test_paginators(desk: Desk, paginator: dict[str, object]) -> None:
    desk.declare(resources__0__endpoint__paginator=paginator)
    dumped = desk.system().resource("accounts").endpoint.paginator.model_dump()
    assert {key: dumped[key] for key in paginator} == paginator
