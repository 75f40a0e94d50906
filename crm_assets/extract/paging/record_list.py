"""The list of records at a path of a JSON body, as bytes."""

from __future__ import annotations

import msgspec

from crm_assets.declarations.json_path import WILDCARD, path_text
from crm_assets.extract.errors import UnexpectedResponseError
from crm_assets.extract.paging.json_members import ARRAY, OBJECT, SYNTAX, kind_of, member_at, opens_with, small_value
from crm_assets.extract.paging.signs import reports_none


class AbsentListError(UnexpectedResponseError):
    """The body has nothing at all where the list should be."""


def select_list(raw: msgspec.Raw, segments: tuple[str, ...], whole: tuple[str, ...]) -> bytes | None:
    """Return the list at the end of a path, or ``None`` where there is none because it is empty.

    ``null`` is how Go writes an empty list, and ``[]`` how PHP writes an empty object.

    Args:
        raw: Where the path begins.
        segments: What remains of the path.
        whole: The whole path, for messages.

    Raises:
        AbsentListError: There is nothing at the path.
        UnexpectedResponseError: There is something other than a list.
    """
    if opens_with(raw, b"n") and (not whole or len(segments) < len(whole)):
        SYNTAX.decode(raw)
        return None
    if not segments:
        return _members_of_list(raw, whole)
    if segments[0] == WILDCARD:
        return _spread(raw, segments[1:], whole)
    child = member_at(raw, segments[0])
    if child is not None:
        return select_list(child, segments[1:], whole)
    below_top = len(segments) < len(whole)
    if opens_with(raw, b"[") and not ARRAY.decode(raw):
        return None
    members = OBJECT.decode(raw) if opens_with(raw, b"{") else {}
    if not below_top and reports_none({name: small_value(member) for name, member in members.items()}):
        return None
    contained = ", ".join(sorted(members)[:8]) if members or opens_with(raw, b"{") else kind_of(raw)
    raise AbsentListError(
        f"the answer has no {path_text(whole)!r} (data_selector); it contains: {contained or 'nothing'}", status=200
    )


def _members_of_list(raw: msgspec.Raw, whole: tuple[str, ...]) -> bytes | None:
    if opens_with(raw, b"["):
        return bytes(raw)
    SYNTAX.decode(raw)
    members = OBJECT.decode(raw) if opens_with(raw, b"{") else {}
    if members and not all(opens_with(member, b"{") for member in members.values()):
        return b"[" + bytes(raw) + b"]"
    if members:  # one record has values of its own; read as one, a list keyed by id would be a list without rows
        place = path_text((*whole, WILDCARD))
        raise UnexpectedResponseError(
            f"expected a list at {path_text(whole)!r} of the answer, found an object of objects; "
            f"if these are the records, declare data_selector {place!r}",
            status=200,
        )
    if opens_with(raw, b"{") and whole:
        return None
    raise UnexpectedResponseError(
        f"expected a list at {path_text(whole)!r} of the answer, found {kind_of(raw)}", status=200
    )


def _spread(raw: msgspec.Raw, rest: tuple[str, ...], whole: tuple[str, ...]) -> bytes | None:
    if opens_with(raw, b"["):
        if not rest:
            return select_list(raw, (), whole)
        members = ARRAY.decode(raw)
    elif opens_with(raw, b"{"):
        members = list(OBJECT.decode(raw).values())
    else:
        raise UnexpectedResponseError(
            f"expected a list or an object at {path_text(whole)!r} of the answer, found {kind_of(raw)}", status=200
        )
    if rest:
        parts = [(select_list(member, rest, whole) or b"[]").strip()[1:-1] for member in members]
    else:
        parts = [bytes(member) for member in members]
    return b"[" + b",".join(part for part in parts if part.strip()) + b"]"


def unwrapped(records: bytes, wrapper: str | None) -> bytes:
    """Return the records without the object that wraps each of them."""
    if wrapper is None:
        return records
    members = [member_at(member, wrapper) or member for member in ARRAY.decode(records)]
    return b"[" + b",".join(bytes(member) for member in members) + b"]"
