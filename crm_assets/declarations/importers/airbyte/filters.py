"""Record filters of a manifest."""

from __future__ import annotations

from typing import Any

from jinja2 import nodes

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.airbyte.expressions import Named, condition, value_of
from crm_assets.declarations.json_path import path_text

_INTERVALS = ("stream_interval", "stream_slice", "stream_state")


def record_filter(text: str) -> list[Document] | None:
    """Return the conditions of a filter, none if it only repeats the increment's; ``None`` if they cannot be said."""
    node = condition(text)
    return None if node is None else _conditions(node)


def _conditions(node: nodes.Node) -> list[Document] | None:
    match node:
        case nodes.CondExpr(expr2=nodes.Const(value=True)) if _is_of_settings(node.test):
            return []
        case nodes.And():
            left, right = _conditions(node.left), _conditions(node.right)
            return None if left is None or right is None else [*left, *right]
        case nodes.Compare(ops=[nodes.Operand(op=operator, expr=other)]):
            return _comparison(value_of(node.expr), operator, other)
        case nodes.Not():
            found = value_of(node.node)
            return _of_record(found, "in", [None, False, 0, ""])
        case nodes.Getattr() | nodes.Getitem() | nodes.Call():
            return _of_record(value_of(node), "not_in", [None, False, 0, ""])
    return None


def _is_of_settings(node: nodes.Node) -> bool:
    """Whether a choice is the user's own: without it all records are read."""
    found = value_of(node)
    return isinstance(found, Named) and found.root == "config"


def _comparison(found: object, operator: str, other: nodes.Node) -> list[Document] | None:
    if operator in ("gteq", "gt", "lteq", "lt"):
        bound = value_of(other)
        return [] if isinstance(bound, Named) and bound.root in _INTERVALS else None
    values = _values(other)
    key = {"eq": "in", "in": "in", "ne": "not_in", "notin": "not_in"}.get(operator)
    return _of_record(found, key, values) if key and values is not None else None


def _values(node: nodes.Node) -> list[Any] | None:
    if isinstance(node, nodes.Const):
        return [node.value]
    if isinstance(node, (nodes.List, nodes.Tuple)) and all(isinstance(item, nodes.Const) for item in node.items):
        return [item.value for item in node.items if isinstance(item, nodes.Const)]
    return None


def _of_record(found: object, key: str, values: list[Any]) -> list[Document] | None:
    if not isinstance(found, Named) or found.root != "record" or not found.path:
        return None
    return [{"field": path_text(found.path), key: values}]
