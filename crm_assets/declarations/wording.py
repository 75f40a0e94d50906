"""Declarations in words, for the reference pages."""

from __future__ import annotations

import json
from datetime import timedelta

from typing_extensions import assert_never

from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.models.auth import Auth, CombinedAuth
from crm_assets.declarations.models.endpoint import Endpoint, ErrorHandler
from crm_assets.declarations.models.incremental import Incremental, Window
from crm_assets.declarations.models.paginator import (
    Auto,
    CursorPage,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    Paginator,
    SinglePage,
)
from crm_assets.declarations.models.resource import Resource
from crm_assets.declarations.models.simple_auth import ApiKeyAuth, BasicAuth, BearerAuth, NoAuth
from crm_assets.declarations.models.token_auth import (
    ClientCredentialsAuth,
    PasswordAuth,
    RefreshTokenAuth,
    SessionTokenAuth,
)


def code(text: str) -> str:
    """Return text as Markdown code, fit for a table's cell."""
    return f"`{text}`".replace("|", "\\|")


def cell(text: str) -> str:
    """Return text on one line, fit for a table's cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def auth_line(auth: Auth) -> str:
    """Return how a request proves who asks."""
    match auth:
        case NoAuth():
            return "no credentials: the API is public"
        case BasicAuth():
            return f"HTTP Basic: `{auth.username}` and `{auth.password or 'an empty password'}`"
        case ApiKeyAuth():
            return _auth_place(auth.location, auth.name, auth.value or f"{{{auth.api_key}}}")
        case BearerAuth():
            return _auth_place("header", "Authorization", f"Bearer {{{auth.token}}}")
        case ClientCredentialsAuth() | RefreshTokenAuth() | PasswordAuth():
            grant = auth.grant["grant_type"].replace("_", " ")
            place = _auth_place(auth.location, auth.name, auth.value)
            return f"{place}; the token comes from `{auth.access_token_url}` (OAuth 2, {grant})"
        case SessionTokenAuth():
            place = _auth_place(auth.location, auth.name, auth.value)
            return f"{place}; the token comes from a login at `{auth.login.url}`"
        case CombinedAuth():
            return " and ".join(auth_line(part) for part in auth.parts)
        case _:
            assert_never(auth)


def _auth_place(location: str, name: str, value: str) -> str:
    return f"the {'header' if location == 'header' else 'query parameter'} `{name}: {value}`"


def retry_words(handler: ErrorHandler) -> str:
    """Return what is retried, when, and what is skipped."""
    if handler.max_retries and handler.retry_on_status_codes:
        codes = handler.retry_on_status_codes
        statuses = f"Status {codes[0]} is" if len(codes) == 1 else f"Statuses {', '.join(map(str, codes))} are"
        waits = ", ".join(f"{handler.wait(attempt):g}" for attempt in range(1, handler.max_retries + 1))
        words = f"{statuses} retried after {waits} seconds, or as Retry-After says."
    else:
        words = "No status is retried."
    if handler.ignore_status_codes:
        words += f" A list with status {', '.join(map(str, handler.ignore_status_codes))} is skipped and reported."
    return words


def mode_words(resource: Resource) -> str:
    """Return how a resource is read day after day."""
    window, incremental = resource.window, resource.incremental
    if window:
        return f"{window.grain} window on {code(window.field)}"
    return f"incremental on {code(incremental.field)}" if incremental else "full refresh"


def paging_words(paginator: Paginator) -> str:
    """Return how a list is walked."""
    match paginator:
        case Auto():
            return "as its first answer shows"
        case SinglePage():
            return "one answer"
        case PageNumber():
            words = f"`{paginator.page_param}` from {paginator.start_from_page}"
        case Offset():
            words = f"`{paginator.offset_param}` from {paginator.start_offset}"
        case JsonLink():
            words = f"link at {_path_code(paginator.next_url_path)}"
        case HeaderLink():
            words = f"`{paginator.links_next_key}` in the `Link` header"
        case CursorPage():
            words = f"`{paginator.cursor_param}` from {_path_code(paginator.cursor_path)}"
        case HeaderCursor():
            words = f"`{paginator.cursor_param}` from the header `{paginator.cursor_key}`"
        case _:
            assert_never(paginator)
    return words + (f", {paginator.limit} a page (`{paginator.limit_param}`)" if paginator.limit else "")


def end_words(paginator: Paginator) -> str:
    """Return how the end of a list is known, and what the read must agree with."""
    words = _paginator_end(paginator)
    total = paginator.total_records_path if isinstance(paginator, (SinglePage, PageNumber, Offset)) else None
    return f"{words}; as many records as {_path_code(total)}" if total else words


def request_words(endpoint: Endpoint) -> str:
    """Return what is asked for, and where in the answer the records are."""
    template = _template(endpoint)
    words = f"`{endpoint.method} {endpoint.path}`{f' with {template}' if template else ''}; the records are at "
    words += "the root" if not endpoint.data_selector else _path_code(endpoint.data_selector)
    if endpoint.unwrap:
        words += f", each perhaps wrapped in {code(endpoint.unwrap)}"
    if endpoint.include:
        words += f", with those of {_path_code(endpoint.include.path)} joined in by {_path_code(endpoint.include.on)}"
    return f"{words}."


def filter_words(resource: Resource) -> str:
    """Return what a request adds to read one window or the changes, and how the bounds are meant."""
    window, incremental = resource.window, resource.incremental
    if window:
        return f"By date with {_template(window)}. {_window(window)}"
    if incremental:
        back = f"{_duration_text(incremental.lookback)} before the newest loaded {code(incremental.field)}"
        again = f" The whole list again after {_duration_text(incremental.full_refresh_every)}."
        return f"Changes with {_template(incremental)}. A run starts {back}.{again}"
    return ""


def _paginator_end(paginator: Paginator) -> str:
    match paginator:
        case Auto():
            return "as its first answer shows, else assumed"
        case SinglePage():
            return "that answer"
        case PageNumber() | Offset():
            return _counted_end(paginator)
        case JsonLink() | HeaderLink():
            words = "no such link"
        case CursorPage() | HeaderCursor():
            words = "no new record" if getattr(paginator, "overlap", False) else "no cursor"
        case _:
            assert_never(paginator)
    further = {
        "no_next": "",
        "has_more": f" or {_path_code(paginator.has_more_path)} false",
        "empty_page": " or an empty page",
        "short_page": f" or a page of fewer than {paginator.limit}",
        "repeat": " or one followed before",
    }
    return words + further[paginator.end]


def _counted_end(paginator: PageNumber | Offset) -> str:
    words = {
        "empty_page": "an empty page",
        "short_page": f"a page of fewer than {paginator.limit}",
        "total_pages": f"the last of {_path_code(paginator.total_pages_path)}",
        "total_records": f"the last of {_path_code(paginator.total_records_path)} records",
        "has_more": f"{_path_code(paginator.has_more_path)} false",
        "no_next_link": f"no {_path_code(paginator.next_link_path)}",
    }[paginator.end]
    if paginator.total_pages_path and paginator.end != "total_pages":
        words = f"the last of {_path_code(paginator.total_pages_path)} where reported, else {words}"
    return words


def _path_code(path: tuple[str, ...] | None) -> str:
    return code(path_text(path or ()))


def _template(part: Endpoint | Window | Incremental) -> str:
    parts = [
        f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in part.params.items()
    ]
    words = [code("&".join(parts))] if parts else []
    if part.json_body:
        words.append(f"{code(json.dumps(part.json_body))} in the body")
    return " and ".join(words)


def _window(window: Window) -> str:
    bounds = "The last day is included" if window.end == "inclusive" else "The end is not included"
    parts = [f"{bounds}; the last {window.lookback_days} days are read again by every scheduled run."]
    if window.padding_days:
        padding = _days_text(window.padding_days)
        parts.append(f"{padding} more on either side, since it is not known what the API does at its bounds.")
    if window.days_ahead:
        parts.append(f"Also {_days_text(window.days_ahead)} ahead, for what is planned.")
    if window.include_undated:
        parts.append("Rows without a date are read by a request without bounds.")
    if window.per_partition:
        parts.append("Rows count what the window contains, so every day is requested on its own.")
    if window.max_rows:
        effect = "a day that reaches them fails" if window.per_partition else "a window that reaches them is split"
        parts.append(f"The API serves {window.max_rows:,} rows of a query; {effect}.")
    return " ".join(parts)


def _days_text(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _duration_text(duration: timedelta) -> str:
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count, rest = divmod(int(duration.total_seconds()), size)
        if count and not rest:
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{duration.total_seconds():g} seconds"
