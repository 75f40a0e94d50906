"""Records in lists inside other records, with fields of those around them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crm_assets.declarations.json_path import WILDCARD, Segments, path_text
from crm_assets.extract.errors import UnexpectedResponseError

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_NO_FIELD = msgspec.Raw(b"null")


def with_outer_fields(
    body: msgspec.Raw, selector: Segments, fields: Mapping[str, Segments], *, absent_is_empty: bool
) -> bytes:
    """Return the records at a path as a JSON array, each with fields of the objects around it.

    Args:
        body: The whole body.
        selector: Segments of the records; ``*`` walks lists and objects keyed by id.
        fields: Name in the record to the path in an object around it; the nearest that has it counts.
        absent_is_empty: Whether a list that is not there is an empty one.

    Raises:
        UnexpectedResponseError: There is no list at the path.
    """
    records: list[bytes] = []
    pending: list[tuple[msgspec.Raw, Segments, tuple[msgspec.Raw, ...]]] = [(body, selector, ())]
    while pending:
        raw, path, around = pending.pop()
        opening = bytes(memoryview(raw)[:1])
        if not path or (path == (WILDCARD,) and opening in (b"{", b"[")):
            members = _raw_members(raw) if path or opening == b"[" else [raw]
            records += [_with_fields(member, fields, around) for member in members if bytes(member) != b"null"]
        elif path[0] == WILDCARD and opening in (b"{", b"["):
            pending += [(member, path[1:], (member, *around)) for member in reversed(_raw_members(raw))]
        elif opening == b"{" and path[0] in (found := _OBJECT.decode(raw)):
            pending.append((found[path[0]], path[1:], around or (raw,)))
        elif not (absent_is_empty or opening == b"n"):
            raise UnexpectedResponseError(
                f"the answer has no list at {path_text(selector)!r} (data_selector)", status=200
            )
    return b"[" + b",".join(records) + b"]"


def _raw_members(raw: msgspec.Raw) -> list[msgspec.Raw]:
    return _ARRAY.decode(raw) if bytes(memoryview(raw)[:1]) == b"[" else list(_OBJECT.decode(raw).values())


def _with_fields(record: msgspec.Raw, fields: Mapping[str, Segments], around: tuple[msgspec.Raw, ...]) -> bytes:
    text = bytes(record)
    if text[:1] != b"{":
        return text
    own = _OBJECT.decode(record)
    taken = {
        name: next((v for v in (_values_at(outer, path) for outer in around) if v is not None), _NO_FIELD)
        for name, path in fields.items()
        if name not in own
    }
    return msgspec.json.encode({**taken, **own})


def _values_at(raw: msgspec.Raw, path: Segments) -> msgspec.Raw | None:
    found: msgspec.Raw | None = raw
    for segment in path:
        if found is None or bytes(memoryview(found)[:1]) != b"{":
            return None
        found = _OBJECT.decode(found).get(segment)
    return found
