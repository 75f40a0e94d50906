"""SQL of what is undeclared in a record: the record less all declared fields."""

from __future__ import annotations

import json
from typing import Any

from crm_assets.declarations.json_path import Segments
from crm_assets.extract.decode.duckdb_paths import json_path
from crm_assets.extract.decode.duckdb_types import literal
from crm_assets.extract.decode.wire_tree import WireNode


def with_rest(root: WireNode, records: str) -> str:
    """Return the query that adds ``__rest``, the record without its declared fields, to the rows of a table.

    A JSON merge patch removes what it maps to null; the objects that thereby become empty are removed after it, the
    deepest first. For the columns ``id`` and ``contact.mail`` it reads::

        SELECT * REPLACE (
            CASE WHEN json_extract(__rest, '$."contact"') = '{}'
                 THEN json_merge_patch(__rest, '{"contact": null}'::JSON) ELSE __rest END AS __rest
        ) FROM (SELECT *, json_merge_patch(__record, '{"id": null, "contact": {"mail": null}}'::JSON) AS __rest
                FROM compared)

    A list of which positions are declared is removed by the patch, and put back whole where it has more in it.
    """
    query = f"SELECT *, json_merge_patch(__record, {_json_literal(_removal(root))}) AS __rest FROM {records}"
    changes = []
    for path, _ in root.branches():
        empty = f"json_extract(__rest, {literal(json_path(path))}) = '{{}}'"
        changes.append((empty, _json_literal(_nested_value(path, None))))
    for path, node in root.branches():
        if node.positions:
            value = f"json_extract(__record, {literal(json_path(path))})"
            changes.append((f"json_type({value}) = 'ARRAY' AND ({_list_has_more(value, node)})", _object(path, value)))
    for condition, patch in changes:
        changed = f"CASE WHEN {condition} THEN json_merge_patch(__rest, {patch}) ELSE __rest END"
        query = f"SELECT * REPLACE ({changed} AS __rest) FROM ({query})"
    return query


def _has_more(value: str, node: WireNode) -> str:
    """Return the condition that a value has anything in it beyond what is declared of it."""
    names = ", ".join(literal(name) for name in node.parts)
    more = [f"len(list_filter(json_keys({value}), lambda k: k NOT IN ({names}))) > 0"]
    for name, part in node.parts.items():
        if not part.columns:
            more.append(_has_more(f"json_extract({value}, {literal(json_path((name,)))})", part))
    condition = f"json_type({value}) = 'OBJECT' AND ({' OR '.join(more)})"
    if node.positions:
        condition += f" OR json_type({value}) = 'ARRAY' AND ({_list_has_more(value, node)})"
    return f"coalesce({condition}, false)"


def _list_has_more(value: str, node: WireNode) -> str:
    length = f"json_array_length({value})::BIGINT"
    declared = ", ".join(str(n) if n >= 0 else f"{length} - {-n}" for n in node.positions)
    more = [f"len(list_filter(range({length}), lambda i: i NOT IN ({declared}))) > 0"]
    for position in node.positions:
        part = node.parts[str(position)]
        if not part.columns:
            element = json_path((str(position),), listed=(True,))
            more.append(_has_more(f"json_extract({value}, {literal(element)})", part))
    return " OR ".join(more)


def _removal(node: WireNode) -> dict[str, Any]:
    return {name: None if part.columns else _removal(part) for name, part in node.parts.items()}


def _nested_value(path: Segments, value: Any) -> Any:
    for segment in reversed(path):
        value = {segment: value}
    return value


def _object(path: Segments, value: str) -> str:
    for segment in reversed(path):
        value = f"json_object({literal(segment)}, {value})"
    return value


def _json_literal(value: Any) -> str:
    return f"{literal(json.dumps(value))}::JSON"
