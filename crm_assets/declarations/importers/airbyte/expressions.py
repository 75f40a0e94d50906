"""Expressions of a manifest: which value of the settings, the answer or the request one names.

Expressions are Jinja. They are parsed and never run: what is not one of the few forms below has no counterpart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, TemplateError, nodes

_JINJA = Environment(autoescape=True)
_PASSING = frozenset({"string", "int", "float", "tojson", "trim", "lower", "urlencode", "default", "first"})
"""Filters that leave a value what it is, as far as a request or a column goes."""


@dataclass(frozen=True)
class Named:
    """A value that an expression names."""

    root: str
    """``config``, ``response``, ``record``, ``headers``, ``last_record``, ``stream_partition``, and so on."""
    path: tuple[str, ...] = ()
    default: Any = None
    """What stands in its place where it is missing."""


@dataclass(frozen=True)
class Moment:
    """The moment of the read, in a format of ``strftime``."""

    format: str


class NoCounterpartError(ValueError):
    """An expression that the declaration cannot say."""


def parts(text: str) -> list[str | nodes.Expr]:
    """Return the plain texts and the expressions a template is made of.

    Raises:
        NoCounterpartError: It is more than texts and expressions.
    """
    try:
        body = _JINJA.parse(text).body
    except TemplateError as error:
        raise NoCounterpartError(f"{text!r} is not a template ({error})") from error
    found: list[str | nodes.Expr] = []
    for output in body:
        if not isinstance(output, nodes.Output):
            raise NoCounterpartError(f"{_short(text)} contains a statement")
        found += [node.data if isinstance(node, nodes.TemplateData) else node for node in output.nodes]
    return found


def named(text: Any) -> Named | Moment | None:
    """Return the one value a template names, or ``None`` where it names none or more than that."""
    if not isinstance(text, str) or "{{" not in text:
        return None
    try:
        found = [part for part in parts(text) if not (isinstance(part, str) and not part.strip())]
    except NoCounterpartError:
        return None
    return value_of(found[0]) if len(found) == 1 and isinstance(found[0], nodes.Expr) else None


def condition(text: Any) -> nodes.Expr | None:
    """Return the expression of a template that holds nothing else, or ``None``."""
    if not isinstance(text, str):
        return None
    try:
        found = [part for part in parts(text if "{{" in text else f"{{{{ {text} }}}}") if part != ""]
    except NoCounterpartError:
        return None
    return found[0] if len(found) == 1 and isinstance(found[0], nodes.Expr) else None


def value_of(node: nodes.Node) -> Named | Moment | None:
    """Return the value an expression names, or ``None``."""
    match node:
        case nodes.Name():
            return Named(node.name)
        case nodes.Getattr():
            return _below(node.node, node.attr)
        case nodes.Getitem(arg=nodes.Const(value=key)):
            return _below(node.node, str(key))
        case nodes.Getitem(arg=nodes.Neg(node=nodes.Const(value=1))):
            return _below(node.node, "-1")
        case nodes.Call(node=nodes.Getattr(attr="get") as getter) if node.args and isinstance(
            node.args[0], nodes.Const
        ):
            return _with_default(_below(getter.node, str(node.args[0].value)), node.args[1:])
        case nodes.Call(node=nodes.Getattr(attr="strftime") as call) if _is_now(call.node):
            return Moment(str(_constant(node.args[0])))
        case nodes.Call() if _is_now(node):
            return Moment("%Y-%m-%d" if node.node.name == "today_utc" else "iso")  # type: ignore[attr-defined]
        case nodes.Call(node=nodes.Getattr(attr="isoformat") as call) if _is_now(call.node):
            return Moment("iso")
        case nodes.Call(node=nodes.Name(name="format_datetime")) if node.args:
            return value_of(node.args[0])
        case nodes.Filter() if node.name in _PASSING and node.node is not None:
            return value_of(node.node)
        case nodes.Or():
            return _with_default(value_of(node.left), [node.right])
        case nodes.CondExpr():
            return _conditional(node)
    return None


def joined_setting(node: nodes.Node) -> tuple[Named, str] | None:
    """Return the setting whose members an expression joins, and what stands between them."""
    match node:
        case nodes.Call(
            node=nodes.Getattr(node=nodes.Const(value=str() as between), attr="join"), args=[nodes.Node() as members]
        ):
            found = value_of(members)
        case nodes.Filter(name="join", node=nodes.Node() as members, args=[nodes.Const(value=str() as between)]):
            found = value_of(members)
        case _:
            return None
    return (found, between) if isinstance(found, Named) and found.root == "config" and found.path else None


def _conditional(node: nodes.CondExpr) -> Named | Moment | None:
    """Return ``x if x else default`` as what it is: a value with a default."""
    first, tested = value_of(node.expr1), value_of(node.test)
    if isinstance(first, Named) and isinstance(tested, Named) and first.path[:1] == tested.path[:1]:
        return _with_default(first, [node.expr2] if node.expr2 is not None else [])
    return None


def _below(node: nodes.Node, key: str) -> Named | None:
    above = value_of(node)
    return Named(above.root, (*above.path, key)) if isinstance(above, Named) else None


def _with_default(found: Named | Moment | None, given: list[Any]) -> Named | Moment | None:
    if not isinstance(found, Named) or not given:
        return found
    default = _constant(given[0])
    return Named(found.root, found.path, None if default in ({}, [], "") else default)


def _constant(node: Any) -> Any:
    return node.value if isinstance(node, nodes.Const) else None


def _is_now(node: nodes.Node) -> bool:
    return (
        isinstance(node, nodes.Call)
        and isinstance(node.node, nodes.Name)
        and node.node.name in ("now_utc", "today_utc")
    )


def _short(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    return repr(text if len(text) <= 60 else f"{text[:57]}…")
