"""What is done with the records of a page before they are checked: plain values wrapped, others left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from crm_assets.declarations.json_path import dig
from crm_assets.declarations.models.records import RecordFilter
from crm_assets.declarations.models.resource import Resource
from crm_assets.extract.decode.record_validator import RAW_LIST, RAW_NULL, RAW_OBJECT

VALUE = "value"
"""Name of the field that holds a record which is a plain value, as dlt calls it."""
_ANY = msgspec.json.Decoder()


@dataclass(frozen=True)
class KeptRecords:
    """The records of a page that are kept."""

    array: bytes
    count: int
    """How many the page had."""
    left_out: int
    """How many of them the resource's filters leave out."""


class RecordSteps:
    """The steps that a resource declares; most declare none, and their pages are not touched.

    Args:
        resource: The declaration.
    """

    def __init__(self, resource: Resource) -> None:
        self._filters = resource.endpoint.record_filter
        self._wraps = any(column.wire_path(name) == (VALUE,) for name, column in resource.columns.items())

    def __call__(self, array: bytes) -> KeptRecords | None:
        """Return the records that are kept, or ``None`` where all are kept as they are.

        Raises:
            msgspec.DecodeError: The array is not valid JSON.
        """
        if not (self._filters or self._wraps):
            return None
        items = [self._wrapped(item) for item in RAW_LIST.decode(array)]
        kept = [item for item in items if all(_meets(item, condition) for condition in self._filters)]
        return KeptRecords(b"[" + b",".join(kept) + b"]", len(items), len(items) - len(kept))

    def _wrapped(self, item: msgspec.Raw) -> bytes:
        text = bytes(item)
        return text if not self._wraps or text[:1] in (b"{", b"n") else b'{"value":' + text + b"}"


def _meets(record: bytes, condition: RecordFilter) -> bool:
    """Return whether a record meets a condition; one that is not an object does, for it is rejected by name later."""
    if record[:1] != b"{":
        return True
    head, *rest = condition.field or ("",)
    value = _comparable(dig(_ANY.decode(RAW_OBJECT.decode(record).get(head, RAW_NULL)), tuple(rest)))
    if condition.is_in is not None:
        return value in map(_comparable, condition.is_in)
    return value not in map(_comparable, condition.not_in or ())


def _comparable(value: Any) -> tuple[bool, Any]:
    """Return a value so that ``true`` is not 1, though 1.0 is, and a list or object equals nothing."""
    return isinstance(value, bool), value
