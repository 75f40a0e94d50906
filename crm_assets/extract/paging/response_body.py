"""Page bodies: find the record list and the paging facts without turning records into Python objects."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace
from functools import cached_property
from http import HTTPStatus
from typing import Any

import msgspec

from crm_assets.declarations.json_path import WILDCARD, dig, path_text
from crm_assets.declarations.models.endpoint import Endpoint
from crm_assets.extract.errors import UnexpectedResponseError
from crm_assets.extract.http.client import Answer
from crm_assets.extract.paging.json_members import (
    ANY,
    OBJECT,
    SMALL,
    member_at,
    opens_with,
    small_value,
)
from crm_assets.extract.paging.nested_lists import with_outer_fields
from crm_assets.extract.paging.paging_facts import records_path
from crm_assets.extract.paging.record_list import AbsentListError, select_list, unwrapped
from crm_assets.extract.paging.signs import is_error, reports_no_success, reports_some

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class ResponseBody:
    """A decoded page body; its records stay bytes."""

    records: bytes
    """The record list as a JSON array."""
    companions: bytes | None
    """The JSON:API ``included`` list as a JSON array, where the endpoint joins one in."""
    top: _Top
    selector: tuple[str, ...] = ()
    """Path of the record list in the body."""

    def fact(self, path: tuple[str, ...] | None) -> Any:
        """Return the decoded value at a path of the body, or ``None`` where the path is absent.

        Raises:
            UnexpectedResponseError: It is a number beyond all measure.
        """
        raw = None if path is None else self.top.at(path)
        try:
            return None if raw is None else ANY.decode(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            raise UnexpectedResponseError(f"{path_text(path or ())!r} cannot be read ({error})", status=200) from error

    @cached_property
    def beside(self) -> dict[str, Any]:
        """What the body says beside its records: the small members on the way to them, decoded; no lists."""
        return self.top.beside(self.selector)

    @property
    def error(self) -> str:
        """What the body says beside its records of something that failed, empty where it says nothing."""
        found = (self.top.child(name) for name in ("error", "errors") if name != next(iter(self.selector), ""))
        values = (small_value(raw) for raw in found if raw is not None)
        return next((str(value)[:200] for value in values if is_error(value)), "")


class _Top:
    """A whole body; its members are found once, since finding them reads it all."""

    def __init__(self, body: bytes) -> None:
        self.raw = msgspec.Raw(body)
        self._members = OBJECT.decode(self.raw) if opens_with(self.raw, b"{") else None

    def child(self, segment: str) -> msgspec.Raw | None:
        """Return a member of the body, or ``None``."""
        return member_at(self.raw, segment) if self._members is None else self._members.get(segment)

    def at(self, path: tuple[str, ...]) -> msgspec.Raw | None:
        """Return what stands at a path of the body, or ``None``."""
        raw = self.child(path[0]) if path else self.raw
        for segment in path[1:]:
            raw = None if raw is None else member_at(raw, segment)
        return raw

    def select(self, path: tuple[str, ...]) -> bytes | None:
        """Return the record list at a path as a JSON array, or ``None`` where the body says that there is none."""
        if not path or path[0] == WILDCARD:
            return select_list(self.raw, path, path)
        child = self.child(path[0])
        return select_list(self.raw, path, path) if child is None else select_list(child, path[1:], path)

    def beside(self, path: tuple[str, ...]) -> dict[str, Any]:
        """Return the small members of the body, and of the objects on a path in it, decoded."""
        facts: dict[str, Any] = {}
        members = self._members
        for segment in (*path, ""):
            if members is None:
                break
            for name, raw in members.items():
                if name != segment and len(memoryview(raw)) <= SMALL and not opens_with(raw, b"["):
                    facts.setdefault(name, small_value(raw))
            inner = members.get(segment)
            members = OBJECT.decode(inner) if inner is not None and opens_with(inner, b"{") else None
        return facts


def kept_body(facts: bytes) -> ResponseBody:
    """Return the body of a page that was kept with what it says of paging alone, a JSON object."""
    return ResponseBody(b"", None, _Top(facts))


def open_body(answer: Answer, endpoint: Endpoint) -> ResponseBody:
    """Return the opened body of an answer with status 200 or 204.

    Raises:
        UnexpectedResponseError: The body is not valid JSON, is cut short, reports an error, or lacks the declared list.
    """
    try:
        if answer.status == HTTPStatus.NO_CONTENT and not answer.body.strip():
            return ResponseBody(b"[]", None if endpoint.include is None else b"[]", _Top(b"{}"))
        return _opened(answer, endpoint)
    except UnexpectedResponseError as error:
        problem = f"{error.problem} (Content-Encoding: {answer.encoding})" if answer.encoding else error.problem
        raise error.worded(problem) from error.__cause__


def _opened(answer: Answer, endpoint: Endpoint) -> ResponseBody:
    _refuse_markup(answer.body, answer.content_type)
    try:
        top = _Top(_mended(answer.body))
        opened = ResponseBody(b"", None, top, endpoint.data_selector or ())
        _refuse_reported_error(opened, endpoint)
        records = _records_of(top, endpoint)
        if records is None:
            records = _no_records(opened, endpoint)
        elif not records.strip(b"[] \t\r\n"):
            _refuse_failure(opened)
        return replace(opened, records=unwrapped(records, endpoint.unwrap), companions=_companions(top, endpoint))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error


def _records_of(top: _Top, endpoint: Endpoint) -> bytes | None:
    selector = endpoint.data_selector or ()
    if endpoint.outer_fields:
        absent_is_empty = endpoint.absent_list == "empty"
        return with_outer_fields(top.raw, selector, endpoint.outer_fields, absent_is_empty=absent_is_empty)
    try:
        return top.select(selector)
    except AbsentListError as error:
        if endpoint.absent_list == "empty":
            return None
        reported = reports_some(top.beside(selector))
        raise (error.worded(f"{error.problem}, and {reported}") if reported else error) from error.__cause__


def with_selector(endpoint: Endpoint, body: bytes) -> tuple[Endpoint, bool]:
    """Return the endpoint with the place of its records, and whether that is settled: declared, or a list is there.

    Raises:
        UnexpectedResponseError: The place is not declared, and the body is not JSON.
    """
    if endpoint.data_selector is not None:
        return endpoint, True
    try:
        found = ANY.decode(_mended(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error
    path = records_path(found)
    return endpoint.model_copy(update={"data_selector": path}), bool(dig(found, path)) and path != ()


def _no_records(body: ResponseBody, endpoint: Endpoint) -> bytes:
    """Return the empty list where the body has none, unless it says that there are records or that something failed."""
    problem = reports_some(body.beside)
    if problem:
        place = path_text(endpoint.data_selector or ())
        raise UnexpectedResponseError(f"there is no list at {place!r}, although the answer {problem}", status=200)
    return b"[]"


def _refuse_failure(body: ResponseBody) -> None:
    """Refuse an empty list beside a failure, which may be the reason why it is empty."""
    failure = f"reports an error: {body.error}" if body.error else reports_no_success(body.beside)
    if failure:
        raise UnexpectedResponseError(f"the list is empty, and the answer {failure}", status=200)


def unreadable(error: Exception) -> UnexpectedResponseError:
    """Return the error that says why a body could not be read as JSON."""
    return UnexpectedResponseError(
        f"the answer is not valid JSON ({error}); it may be cut short. Nothing of this list was loaded", status=200
    )


def _mended(body: bytes) -> bytes:
    """Return the body as strict JSON: no byte order mark, and ``U+FFFD`` for each half of a character cut in two.

    Raises:
        UnicodeDecodeError: The body is no UTF-8.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.isascii():
        body.decode()
    if b"\\" in body and (b"\\ud" in body or b"\\uD" in body):
        body = _ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], body)
    return body


def _refuse_markup(body: bytes, content_type: str) -> None:
    """Refuse web pages. JSON is JSON under any name; some frameworks send it as ``text/html`` by default."""
    start = body.lstrip()[:1]
    if start == b"<" or ("html" in content_type and start and start not in _JSON_STARTS):
        raise UnexpectedResponseError(
            "the server answered with a web page instead of JSON; check base_url, "
            "and whether there is a login page or a proxy in between",
            status=200,
        )
    if not start:
        raise UnexpectedResponseError("the server answered with an empty body instead of JSON", status=200)
    if start not in _ANY_STARTS:
        raise UnexpectedResponseError(
            f"the answer is not valid JSON (it begins with {start.decode('latin-1')!r})", status=200
        )


_JSON_STARTS = tuple(bytes([code]) for code in b'{["' + codecs.BOM_UTF8)
_ANY_STARTS = (*_JSON_STARTS, *(bytes([code]) for code in b"-0123456789tfn"))
_ALL_IS_WELL: tuple[object, ...] = (None, False, 0, "", "0", "false", [], {})
"""Values that APIs give a field for errors which they always send."""


def _refuse_reported_error(body: ResponseBody, endpoint: Endpoint) -> None:
    if endpoint.error_path and opens_with(body.top.raw, b"{"):
        code = body.fact(endpoint.error_path)
        if code not in _ALL_IS_WELL:
            raise UnexpectedResponseError(
                f"the server answered 200 but reports an error: {str(code)[:200]}", status=200
            )


def _companions(top: _Top, endpoint: Endpoint) -> bytes | None:
    if endpoint.include is None:
        return None
    raw = top.at(endpoint.include.path)
    return bytes(raw) if raw is not None else b"[]"
