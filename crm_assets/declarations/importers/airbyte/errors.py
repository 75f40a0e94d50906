"""Error handlers of a manifest: what is retried, waited for, skipped."""

from __future__ import annotations

from typing import Any

from jinja2 import nodes

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.airbyte.expressions import Named, condition, value_of
from crm_assets.declarations.json_path import path_text

_USUAL = (429, 500, 502, 503, 504)
_ACTIONS = {"IGNORE": "ignore", "RETRY": "retry", "RATE_LIMITED": "retry", "FAIL": "fail", "SUCCESS": "read"}


def errors(given: Any) -> tuple[Document, list[str], list[str]]:
    """Return the keys of an endpoint for its errors, what of them cannot be said, and what is assumed."""
    handler: Document = {}
    actions: list[Document] = []
    losses: list[str] = []
    assumed: list[str] = []
    retried: set[int] = set()
    ignored: set[int] = set()
    for one in _handlers(given):
        if "class_name" in one or str(one.get("type", "")).startswith("Custom"):
            assumed.append("custom code classifies errors; here their status does")
        if isinstance(one.get("max_retries"), int):
            handler["max_retries"] = one["max_retries"]
        for strategy in one.get("backoff_strategies") or ():
            _backoff(strategy, handler, losses)
        for each in one.get("response_filters") or ():
            _filter(each, retried, ignored, actions, losses)
    if retried - set(_USUAL):
        handler["retry_on_status_codes"] = sorted({*_USUAL, *retried})
    if ignored:
        handler["ignore_status_codes"] = sorted(ignored)
    keys: Document = {"error_handler": handler} if handler else {}
    return {**keys, **({"response_actions": actions} if actions else {})}, losses, assumed


def _handlers(given: Any) -> list[Document]:
    if not isinstance(given, dict):
        return []
    if given.get("type") == "CompositeErrorHandler" or "error_handlers" in given:
        return [inner for one in given.get("error_handlers") or () for inner in _handlers(one)]
    return [given]


def _backoff(strategy: Document, handler: Document, losses: list[str]) -> None:
    match strategy.get("type"):
        case "ConstantBackoffStrategy" if _is_number(strategy.get("backoff_time_in_seconds")):
            handler["backoff_constant"] = float(strategy["backoff_time_in_seconds"])
            handler.pop("backoff_factor", None)
        case "ExponentialBackoffStrategy":
            if "backoff_constant" not in handler:
                handler["backoff_factor"] = (
                    float(strategy.get("factor") or 5) if _is_number(strategy.get("factor", 5)) else 5.0
                )
        case "WaitTimeFromHeader" | "WaitUntilTimeFromHeader":
            name = str(strategy.get("header", ""))
            if strategy.get("regex"):
                losses.append(f"part of the header {name} says how long to wait")
            elif name.lower() != "retry-after":
                handler["wait_from"] = {"header": name}
        case _:
            losses.append("custom code computes how long to wait")


def _is_number(value: Any) -> bool:
    try:
        return float(value) >= 0
    except (TypeError, ValueError):
        return False


def _filter(each: Document, retried: set[int], ignored: set[int], actions: list[Document], losses: list[str]) -> None:
    action = _ACTIONS.get(str(each.get("action", "FAIL")).upper(), "fail")
    codes = [int(code) for code in each.get("http_codes") or () if str(code).isdigit()]
    text, predicate = each.get("error_message_contains"), each.get("predicate")
    if not text and not predicate:
        if action == "retry":
            retried.update(codes)
        elif action == "ignore":
            transient = [code for code in codes if code == 429 or code >= 500]
            ignored.update(code for code in codes if code not in transient)
            losses.extend(f"status {code} is skipped" for code in transient)
        return
    found = {"content": text} if text else _predicate(predicate)
    if found is None:
        losses.append(f"an answer with {str(predicate).strip()[:80]} is met with {action}")
        return
    actions.extend({"status_code": code, **found, "action": action} for code in codes)
    if not codes:
        actions.append({**found, "action": action})


def _predicate(text: Any) -> Document | None:
    """Return ``'a' in response and response['a'] == 'b'`` as a path and what has to be there."""
    node = condition(text)
    if isinstance(node, nodes.And):
        node = node.right if isinstance(node.left, (nodes.Compare, nodes.Name, nodes.Getattr)) else None
    match node:
        case nodes.Compare(ops=[nodes.Operand(op="eq", expr=nodes.Const(value=value))]):
            found = value_of(node.expr)
            if isinstance(found, Named) and found.root == "response" and isinstance(value, (str, int)):
                return {"path": path_text(found.path), "equals": value}
        case nodes.Compare(ops=[nodes.Operand(op="in", expr=container)]) if isinstance(node.expr, nodes.Const):
            found = value_of(container)
            if isinstance(found, Named) and found.root == "response":
                return {"path": path_text((*found.path, str(node.expr.value)))}
    return None
