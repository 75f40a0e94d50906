"""The strict check: do all records of a page hold only declared fields of declared types?

It runs at the speed of a JSON parser and decides which query decodes the page. It also tells a page's fingerprint,
by which a server that ignores the page number is noticed.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import msgspec

from crm_assets.declarations.models.columns import Column, ColumnType
from crm_assets.declarations.models.system import Resource
from crm_assets.extract.decode.duckdb_types import EPOCH_RANGE

_INT64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_MONEY = Annotated[float, msgspec.Meta(gt=-1e28, lt=1e28)]
_MOMENTS = {
    name: Annotated[int, msgspec.Meta(ge=least, le=greatest)] for name, (least, greatest) in EPOCH_RANGE.items()
}
_TYPES: dict[ColumnType, Any] = {
    ColumnType.TEXT: str,
    ColumnType.BIGINT: _INT64,
    ColumnType.DOUBLE: float,
    ColumnType.DECIMAL: _MONEY,
    ColumnType.BOOL: bool,
    ColumnType.TIMESTAMP: datetime,
    ColumnType.DATE: date,
}
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])

Fingerprint = tuple[Any, ...]


class RecordValidator:
    """Checks the record arrays of one resource."""

    def __init__(self, resource: Resource) -> None:
        self._keys = [
            resource.columns[name].wire_path(name)
            for name in resource.primary_key
            if not resource.columns[name].placeholder
        ]
        tree = wire_tree(resource)
        self._decoder = None
        if not (resource.endpoint.include or _ambiguous(tree) or _odd(tree)):
            record = _struct(tree, frozenset(resource.primary_key))
            self._decoder = msgspec.json.Decoder(list[record])  # type: ignore[valid-type]  # the type is made just now
            self._attributes = [_attribute_path(tree, key) for key in self._keys]

    def __call__(self, array: bytes) -> tuple[bool, int, Fingerprint]:
        """Return whether the records fit, their number, and the page's fingerprint.

        Raises:
            msgspec.DecodeError: The array is no valid JSON.
        """
        if self._decoder is not None:
            try:
                rows = self._decoder.decode(array)
            except (msgspec.ValidationError, UnicodeDecodeError):
                pass
            else:
                return True, len(rows), self._fingerprint(rows, self._attributes, getattr)
        items = _ITEMS.decode(array)
        return False, len(items), self._fingerprint(items, self._keys, _get)

    def _fingerprint(self, rows: list[Any], keys: list[tuple[str, ...]], get: Any) -> Fingerprint:
        ends = (rows[0], rows[-1]) if rows else ()
        return (len(rows), *(_text(_walk(row, key, get)) for row in ends for key in keys))


def wire_tree(resource: Resource) -> dict[str, Any]:
    """Return the declared wire fields as nested mappings; a leaf is a pair of column name and column.

    The order of the columns does not matter: one that holds a value whole may stand before or after those inside it.
    """
    tree: dict[str, Any] = {}
    for name, column in resource.columns.items():
        if column.placeholder:
            continue
        *branches, leaf = column.wire_path(name)
        here: Any = tree
        for segment in branches:
            here = _branch(here, segment)
        here[leaf] = {**here[leaf], "": (name, column)} if isinstance(here.get(leaf), dict) else (name, column)
    return tree


def _branch(tree: dict[str, Any], segment: str) -> dict[str, Any]:
    """Return the branch at a segment, made where there is none; a value also read whole stands in it under ``""``."""
    found = tree.get(segment, {})
    branch: dict[str, Any] = found if isinstance(found, dict) else {"": found}
    tree[segment] = branch
    return branch


def _ambiguous(tree: dict[str, Any]) -> bool:
    """Whether names differ only in case (DuckDB's structs cannot hold both) or a value is read whole and in parts."""
    lowered = {name.lower() for name in tree}
    branches = [branch for branch in tree.values() if isinstance(branch, dict)]
    return len(lowered) < len(tree) or "" in tree or any(_ambiguous(branch) for branch in branches)


def _odd(tree: dict[str, Any]) -> bool:
    """Whether a name has characters that JSON escapes; msgspec's structs have no such names."""
    return any(
        not name.isprintable() or '"' in name or "\\" in name or (isinstance(branch, dict) and _odd(branch))
        for name, branch in tree.items()
    )


def _struct(tree: dict[str, Any], keys: frozenset[str]) -> type[msgspec.Struct]:
    required: list[Any] = []
    optional: list[Any] = []
    for position, leaf in enumerate(tree.values()):
        name = f"f{position}"
        if isinstance(leaf, dict):
            optional.append((name, _struct(leaf, keys) | None, None))
        elif leaf[1].type is ColumnType.JSON:
            optional.append((name, msgspec.Raw, msgspec.Raw(b"null")))
        elif leaf[0] in keys:
            required.append((name, _type(leaf[1])))
        else:
            optional.append((name, _type(leaf[1]) | None, None))
    rename = {f"f{position}": name for position, name in enumerate(tree)}
    return msgspec.defstruct("Record", [*required, *optional], rename=rename, forbid_unknown_fields=True, gc=False)


def _type(column: Column) -> Any:
    return _TYPES[column.type] if column.format == "iso" else _MOMENTS[column.format]


def _attribute_path(tree: dict[str, Any], key: tuple[str, ...]) -> tuple[str, ...]:
    names = []
    here: Any = tree
    for segment in key:
        names.append(f"f{list(here).index(segment)}")
        here = here[segment]
    return tuple(names)


def _walk(row: Any, path: tuple[str, ...], get: Any) -> Any:
    for segment in path:
        row = get(row, segment)
    return row


def _get(row: msgspec.Raw | None, segment: str) -> msgspec.Raw | None:
    """Return a field of a record, undecoded: what else is in the record may be beyond Python's numbers."""
    return _FIELDS.decode(row).get(segment) if row is not None and bytes(memoryview(row)[:1]) == b"{" else None


def _text(key: Any) -> str:
    return bytes(key).decode() if isinstance(key, msgspec.Raw) else str(key)
