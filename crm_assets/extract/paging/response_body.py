"""Page bodies: find the record list and the paging facts without turning records into Python objects."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from crm_assets.declarations.json_path import WILDCARD, dig, path_text
from crm_assets.declarations.models.endpoint import Endpoint
from crm_assets.extract.errors import ReadError
from crm_assets.extract.paging.paging_facts import records_path

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder()
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

    def fact(self, path: tuple[str, ...] | None) -> Any:
        """Return the decoded value at a path of the body, or ``None`` where the path is absent."""
        raw = None if path is None else self.top.at(path)
        return None if raw is None else _ANY.decode(raw)


class _Top:
    """A whole body; its members are found once, since finding them reads it all."""

    def __init__(self, body: bytes) -> None:
        self.raw = msgspec.Raw(body)
        self._members = _OBJECT.decode(self.raw) if _is(self.raw, b"{") else None

    def child(self, segment: str) -> msgspec.Raw | None:
        """Return a member of the body, or ``None``."""
        return _child(self.raw, segment) if self._members is None else self._members.get(segment)

    def at(self, path: tuple[str, ...]) -> msgspec.Raw | None:
        """Return what stands at a path of the body, or ``None``."""
        raw = self.child(path[0]) if path else self.raw
        for segment in path[1:]:
            raw = None if raw is None else _child(raw, segment)
        return raw

    def select(self, path: tuple[str, ...]) -> bytes:
        """Return the record list at a path as a JSON array."""
        if not path or path[0] == WILDCARD:
            return _select(self.raw, path, path)
        child = self.child(path[0])
        return _select(self.raw, path, path) if child is None else _select(child, path[1:], path)


def open_body(body: bytes, content_type: str, endpoint: Endpoint) -> ResponseBody:
    """Return the envelope of an answer with status 200.

    Raises:
        ReadError: The body is no JSON, is cut short, reports an error, or lacks the declared record list.
    """
    _refuse_markup(body, content_type)
    try:
        top = _Top(_mended(body))
        envelope = ResponseBody(b"", None, top)
        _refuse_reported_error(envelope, endpoint)
        records = _unwrapped(top.select(endpoint.data_selector or ()), endpoint.unwrap)
        companions = _companions(top, endpoint)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error
    return ResponseBody(records, companions, top)


def with_selector(endpoint: Endpoint, body: bytes) -> tuple[Endpoint, bool]:
    """Return the endpoint with the place of its records, and whether that is settled: declared, or a list is there.

    Raises:
        ReadError: The place is not declared, and the body is not JSON.
    """
    if endpoint.data_selector is not None:
        return endpoint, True
    try:
        found = _ANY.decode(_mended(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error
    path = records_path(found)
    return endpoint.model_copy(update={"data_selector": path}), bool(dig(found, path)) and path != ()


def unreadable(error: Exception) -> ReadError:
    """Return the error that says why a body could not be read as JSON."""
    return ReadError(f"the answer is no valid JSON ({error}); it may be cut short. Nothing of this list was loaded")


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
    if body.lstrip()[:1] == b"<" or "html" in content_type:
        raise ReadError(
            "the server answered with a web page instead of JSON; check base_url, "
            "and whether a login page or a proxy stands in between"
        )
    if not body.strip():
        raise ReadError("the server answered with an empty body instead of JSON")


def _refuse_reported_error(envelope: ResponseBody, endpoint: Endpoint) -> None:
    if endpoint.error_path and _is(envelope.top.raw, b"{"):
        code = envelope.fact(endpoint.error_path)
        if code is not None:
            raise ReadError(f"the server answered 200 but reports an error: {str(code)[:200]}")


def _is(raw: msgspec.Raw | bytes, opening: bytes) -> bool:
    return bytes(raw[:64] if isinstance(raw, bytes) else memoryview(raw)[:64]).lstrip()[:1] == opening


def _child(raw: msgspec.Raw, segment: str) -> msgspec.Raw | None:
    if _is(raw, b"{"):
        return _OBJECT.decode(raw).get(segment)
    if _is(raw, b"[") and segment.lstrip("-").isdigit():
        items = _ARRAY.decode(raw)
        index = int(segment)
        return items[index] if -len(items) <= index < len(items) else None
    return None


def _select(raw: msgspec.Raw, segments: tuple[str, ...], whole: tuple[str, ...]) -> bytes:
    if not segments:
        if _is(raw, b"["):
            return bytes(raw)
        _SYNTAX.decode(raw)
        raise ReadError(f"expected a list at {path_text(whole)!r} of the answer, found {_kind(raw)}")
    if segments[0] == WILDCARD:
        return _spread(raw, segments[1:], whole)
    child = _child(raw, segments[0])
    if child is None:
        found = ", ".join(sorted(_OBJECT.decode(raw))[:8]) if _is(raw, b"{") else _kind(raw)
        raise ReadError(f"the answer has no {path_text(whole)!r} (data_selector); it holds: {found or 'nothing'}")
    return _select(child, segments[1:], whole)


_SYNTAX = msgspec.json.Decoder(msgspec.Raw)


def _spread(raw: msgspec.Raw, rest: tuple[str, ...], whole: tuple[str, ...]) -> bytes:
    if _is(raw, b"["):
        if not rest:
            return _select(raw, (), whole)
        members = _ARRAY.decode(raw)
    elif _is(raw, b"{"):
        members = list(_OBJECT.decode(raw).values())
    else:
        raise ReadError(f"expected a list or an object at {path_text(whole)!r} of the answer, found {_kind(raw)}")
    parts = [_select(member, rest, whole).strip()[1:-1] for member in members] if rest else [bytes(m) for m in members]
    return b"[" + b",".join(part for part in parts if part.strip()) + b"]"


def _unwrapped(records: bytes, wrapper: str | None) -> bytes:
    if wrapper is None:
        return records
    members = [_child(member, wrapper) or member for member in _ARRAY.decode(records)]
    return b"[" + b",".join(bytes(member) for member in members) + b"]"


def _companions(top: _Top, endpoint: Endpoint) -> bytes | None:
    if endpoint.include is None:
        return None
    raw = top.at(endpoint.include.path)
    return bytes(raw) if raw is not None else b"[]"


def _kind(raw: msgspec.Raw) -> str:
    return {b"{": "an object", b"[": "a list", b'"': "a text", b"n": "null"}.get(
        bytes(memoryview(raw)[:64]).lstrip()[:1], "a single value"
    )
