"""Paginators of a manifest."""

from __future__ import annotations

from typing import Any

from jinja2 import nodes

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.airbyte.expressions import (
    Moment,
    Named,
    NoCounterpartError,
    condition,
    named,
    value_of,
)
from crm_assets.declarations.json_path import path_text

_IN_BODY = ("body_json", "body_data")


def paginator(given: Any, selector: str, params: Document) -> tuple[Document, str]:
    """Return a paginator, and what of its end the declaration cannot say.

    Args:
        given: The manifest's.
        selector: Path of the record list.
        params: The list's parameters, one of which may be the page size.

    Raises:
        NoCounterpartError: It has no counterpart.
    """
    if not isinstance(given, dict) or given.get("type") == "NoPagination":
        return {"type": "single_page"}, ""
    strategy = given.get("pagination_strategy") or {}
    size = _size(strategy.get("page_size"))
    sized = _sized(given.get("page_size_option"), size)
    if not given.get("page_token_option"):
        params |= {sized["limit_param"]: sized["limit"]} if sized else {}
        return {"type": "auto"}, ""
    match strategy.get("type"):
        case "PageIncrement":
            return _page_number(given, strategy, sized), ""
        case "OffsetIncrement":
            return _offset(given, sized, size, params), ""
        case "CursorPagination":
            return _followed_page(given, strategy, sized, selector)
        case kind:
            raise NoCounterpartError(f"paging by {kind or 'custom code'} has no counterpart")


def _size(given: Any) -> int | None:
    if isinstance(given, int):
        return given
    if isinstance(given, str) and given.strip().isdigit():
        return int(given)
    found = named(given)
    default = found.default if isinstance(found, Named) else None
    return int(default) if isinstance(default, (int, str)) and str(default).isdigit() else None


def _sized(option: Any, size: int | None) -> Document:
    """Return the keys of the page size."""
    if not isinstance(option, dict) or size is None:
        return {}
    _location(option)
    return {"limit_param": _field(option), "limit": size}


def _field(option: Document) -> str:
    return ".".join(map(str, option["field_path"])) if option.get("field_path") else str(option.get("field_name"))


def _location(option: Document) -> str:
    place = option.get("inject_into", "request_parameter")
    if place == "body_data":
        raise NoCounterpartError("paging in a form has no counterpart")
    if place == "header":
        raise NoCounterpartError("paging in a header of the request has no counterpart")
    return "json" if place in _IN_BODY else "query"


def _token(given: Document) -> tuple[str, Document]:
    option = given.get("page_token_option") or {}
    if not option or option.get("type") == "RequestPath":
        raise NoCounterpartError("it does not say where the page goes")
    location = _location(option)
    return _field(option), {"location": location} if location == "json" else {}


def _page_number(given: Document, strategy: Document, sized: Document) -> Document:
    name, place = _token(given)
    end = "short_page" if sized else "empty_page"
    return {
        "type": "page_number",
        "page_param": name,
        "start_from_page": int(strategy.get("start_from_page") or 0),
        **sized,
        **place,
        "end": end,
    }


def _offset(given: Document, sized: Document, size: int | None, params: Document) -> Document:
    name, place = _token(given)
    if sized.get("limit_param") == name:
        sized = {}
    if not sized:
        sized = next(
            ({"limit_param": key, "limit": int(value)} for key, value in params.items() if str(value) == str(size)), {}
        )
        for key in [sized["limit_param"]] if sized else ():
            del params[key]
    return {"type": "offset", "offset_param": name, **sized, **place, "end": "short_page" if sized else "empty_page"}


def _followed_page(given: Document, strategy: Document, sized: Document, selector: str) -> tuple[Document, str]:
    found, filled = _with_records(strategy.get("cursor_value"), selector)
    if not isinstance(found, Named) and (inside := _inside_link(condition(strategy.get("cursor_value")))):
        end, loss = _stop(strategy.get("stop_condition"), inside, page := _link(inside, sized, selector))
        return {**page, **end}, loss
    if not isinstance(found, Named):
        raise NoCounterpartError(f"the cursor {str(strategy.get('cursor_value'))[:60]!r} has no counterpart")
    by_path = (given.get("page_token_option") or {}).get("type") == "RequestPath"
    page = _link(found, sized, selector) if by_path else _cursor(found, given, sized, selector)
    end, loss = _stop(strategy.get("stop_condition"), found, page)
    return {**page, **({"end": "empty_page"} if filled else {}), **end}, loss


def _with_records(text: Any, selector: str) -> tuple[Named | Moment | None, bool]:
    """Return the cursor a template names, and whether it does so only where there are records."""
    node = condition(text)
    match node:
        case nodes.CondExpr(expr2=None | nodes.Const(value="" | None)):
            tested = value_of(node.test)
            if isinstance(tested, Named) and tested.root == "response" and path_text(tested.path) == selector:
                return value_of(node.expr1), True
    return named(text), False


def _inside_link(node: nodes.Node | None) -> Named | None:
    """Return the address a cursor is cut out of: following it asks for the same page."""
    cut = False
    while node is not None and value_of(node) is None:
        match node:
            case nodes.Filter(name="regex_search", node=inner, args=[nodes.Const(value=str() as pattern)]):
                node, cut = inner, cut or "=" in pattern
            case nodes.Getitem(node=inner) | nodes.Filter(node=inner):
                node = inner
            case nodes.Call(node=nodes.Getattr(node=inner, attr="split"), args=[nodes.Const(value=str() as mark), *_]):
                node, cut = inner, cut or "=" in mark or mark == ";"
            case _:
                return None
    found = value_of(node) if node is not None and cut else None
    if not isinstance(found, Named) or not found.path:
        return None
    if found.root == "headers" and found.path[0].lower() == "link":
        return Named("headers", ("link",))
    return found if found.root == "response" else None


def _link(found: Named, sized: Document, selector: str) -> Document:
    if found.root == "headers" and [part.lower() for part in found.path[:1]] == ["link"]:
        return {"type": "header_link", "links_next_key": found.path[1] if len(found.path) > 1 else "next", **sized}
    if found.root == "response" and found.path:
        return {"type": "json_link", "next_url_path": path_text(found.path), **sized}
    if found.root == "last_record" and found.path and "*" not in selector:
        return {"type": "json_link", "next_url_path": _of_last_record(selector, found), **sized}
    raise NoCounterpartError("its next address has no counterpart")


def _of_last_record(selector: str, found: Named) -> str:
    return ".".join(filter(None, [selector.removeprefix("$").lstrip("."), "-1", path_text(found.path)]))


def _cursor(found: Named, given: Document, sized: Document, selector: str) -> Document:
    name, place = _token(given)
    match found.root:
        case "response" if found.path:
            path = path_text(found.path)
        case "last_record" if found.path and "*" not in selector:
            path = _of_last_record(selector, found)
        case "headers" if found.path and found.path[0].lower() != "link":
            return {"type": "header_cursor", "cursor_key": found.path[0], "cursor_param": name, **sized, **place}
        case root:
            raise NoCounterpartError(f"a cursor from {root} has no counterpart")
    return {"type": "cursor", "cursor_path": path, "cursor_param": name, **sized, **place}


def _stop(text: Any, cursor: Named, page: Document) -> tuple[Document, str]:
    """Return what ends the list beside an answer that names no next page, and what of it cannot be said."""
    by_record = cursor.root == "last_record"
    if text is None:
        return ({"end": "empty_page"} if by_record else {}), ""
    found = [rule for rule in _rules(condition(text), cursor, page) if rule is not None]
    named_rules = [rule for rule in found if rule]
    if _UNKNOWN in found and not named_rules:
        return ({"end": "empty_page"} if by_record else {}), f"the list ends when {str(text).strip()[:100]}"
    if named_rules:
        return next((rule for rule in named_rules if rule is not _UNKNOWN), {}), ""
    return ({"end": "empty_page"} if by_record else {}), ""


_UNKNOWN: Document = {"end": "unknown"}


def _rules(node: nodes.Node | None, cursor: Named, page: Document) -> list[Document | None]:
    """Return the rules of a condition; an empty one says no more than that no next page is named."""
    match node:
        case nodes.Or():
            return [*_rules(node.left, cursor, page), *_rules(node.right, cursor, page)]
        case nodes.Const(value=False):
            return [{}]
        case nodes.Not():
            return [_falsy(value_of(node.node), node.node, cursor)]
        case nodes.Test(name="none" | "undefined"):
            return [_absent(value_of(node.node), cursor)]
        case nodes.Test(name="false"):
            return [_flag(value_of(node.node), cursor)]
        case nodes.Compare():
            return [_compared(node, cursor, page)]
        case nodes.Filter():
            found = value_of(node)
            return [_flag(found, cursor, ends_when_true=True)]
    return [_UNKNOWN]


def _falsy(found: object, node: nodes.Node, cursor: Named) -> Document:
    match node:
        case nodes.Test(name="defined"):
            return _absent(value_of(node.node), cursor)
        case nodes.Compare(ops=[nodes.Operand(op="in", expr=expr)]):
            return _absent(_member(expr, node.expr), cursor)
    if not isinstance(found, Named):
        return _UNKNOWN
    if _about(found, cursor):
        return {}
    return _flag(found, cursor)


def _absent(found: object, cursor: Named) -> Document:
    return {} if isinstance(found, Named) and _about(found, cursor) else _UNKNOWN


def _about(found: Named, cursor: Named) -> bool:
    """Whether a value is the cursor, or something the cursor is in."""
    return found.root == cursor.root and cursor.path[: len(found.path)] == found.path


def _flag(found: object, cursor: Named, *, ends_when_true: bool = False) -> Document:
    if not isinstance(found, Named) or found.root != "response" or not found.path or ends_when_true:
        return _UNKNOWN
    return {} if _about(found, cursor) else {"end": "has_more", "has_more_path": path_text(found.path)}


def _compared(node: nodes.Compare, cursor: Named, page: Document) -> Document:
    if len(node.ops) != 1:
        return _UNKNOWN
    operator, other = node.ops[0].op, node.ops[0].expr
    left, constant = value_of(node.expr), other.value if isinstance(other, nodes.Const) else _UNKNOWN
    if operator == "notin":
        return _absent(_member(other, node.expr), cursor)
    if (
        operator == "eq"
        and constant in (False, "false")
        and not isinstance(constant, int | float) | (constant is False)
    ):
        return _flag(left, cursor)
    if operator == "eq" and constant is False:
        return _flag(left, cursor)
    if operator == "eq" and constant in ("", None) and isinstance(left, Named):
        return {} if _about(left, cursor) else _UNKNOWN
    if _counts(node.expr) and isinstance(constant, int):
        return _by_count(operator, constant, page)
    return _UNKNOWN


def _member(container: nodes.Node, key: nodes.Node) -> Named | None:
    above = value_of(container)
    if isinstance(above, Named) and isinstance(key, nodes.Const):
        return Named(above.root, (*above.path, str(key.value)))
    return None


def _counts(node: nodes.Node) -> bool:
    """Whether an expression is the number of records of a page."""
    if isinstance(node, nodes.Name):
        return node.name == "last_page_size"
    return isinstance(node, nodes.Filter) and node.name in ("length", "count")


def _by_count(operator: str, number: int, page: Document) -> Document:
    if (operator, number) in (("eq", 0), ("lt", 1), ("lteq", 0)):
        return {"end": "empty_page"}
    if operator in ("lt", "ne", "lteq"):
        return {"end": "short_page"} if page.get("limit") == number and operator != "lteq" else {"end": "empty_page"}
    return _UNKNOWN
