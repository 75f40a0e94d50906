"""Increments in dlt's three spellings: among the parameters, beside them, and as ``{incremental.start_value}``."""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.models.base import placeholders
from crm_assets.declarations.models.incremental import START_VALUE
from crm_assets.declarations.spellings.hints import OPEN, with_column

_OTHER_STARTS = re.compile(r"\{incremental\.(initial_value|last_value)\}")
_END = "{incremental.end_value}"
_INCREMENTAL_KEYS = frozenset(
    {
        "type", "cursor_path", "initial_value", "end_value", "start_param", "end_param", "lag", "row_order",
        "primary_key", "allow_external_schedulers", "on_cursor_value_missing", "last_value_func", "range_start",
        "range_end", "converted",
    }
)  # fmt: skip
_INCREMENTAL_KEY = "key endpoint.incremental"


def canonical_incremental(resource: Document) -> Document:
    """Return a resource whose increments, if it has some, are declared under ``incremental``.

    Raises:
        SpecError: Something of them has no counterpart.
    """
    endpoint = resource.get("endpoint")
    if not isinstance(endpoint, dict) or not isinstance(endpoint.get("params") or {}, dict):
        return resource
    endpoint = dict(endpoint)
    params = dict(endpoint.get("params") or {})
    spelled = endpoint.pop("incremental", None)
    among = [name for name, value in params.items() if isinstance(value, dict) and value.get("type") == "incremental"]
    if len(among) > 1 or (among and spelled):
        raise SpecError("give one increment, among params or beside them", _INCREMENTAL_KEY)
    if among:
        spelled = {"start_param": among[0], **params.pop(among[0])}
    if not isinstance(spelled, dict):
        return resource
    _refuse_without_counterpart(spelled)
    sent = {spelled["start_param"]: START_VALUE} if spelled.get("start_param") else {}
    if spelled.get("end_param") and spelled.get("end_value") is not None:
        params[spelled["end_param"]] = spelled["end_value"]
    endpoint["params"] = params
    endpoint = _with_ends(_one_name(endpoint), spelled.get("end_value"))
    return _moved_to_increment(resource, endpoint, spelled, sent)


def _refuse_without_counterpart(spelled: Document) -> None:
    for key in spelled:
        if key not in _INCREMENTAL_KEYS:
            raise SpecError("has no counterpart: a declaration has no code", f"{_INCREMENTAL_KEY}.{key}")
    if not isinstance(spelled.get("cursor_path"), str):
        raise SpecError("is missing: the path of the value that grows", f"{_INCREMENTAL_KEY}.cursor_path")
    if spelled.get("last_value_func", "max") != "max":
        raise SpecError(
            "has no counterpart: the greatest loaded value is the next start", f"{_INCREMENTAL_KEY}.last_value_func"
        )
    if spelled.get("on_cursor_value_missing") == "exclude":
        raise SpecError("exclude has no counterpart: no row is dropped", f"{_INCREMENTAL_KEY}.on_cursor_value_missing")


def _moved_to_increment(resource: Document, endpoint: Document, spelled: Document, sent: Document) -> Document:
    """Move what speaks of the starting point from the endpoint to the increment."""
    initial = spelled.get("initial_value")
    kind, form = _moment_type(initial)
    resource, field = (
        with_column(
            resource, spelled["cursor_path"], type=kind, **({"format": form} if form.startswith("epoch") else {})
        )
        if resource[OPEN]
        else (resource, spelled["cursor_path"])
    )
    sent_first = spelled.get("converted", initial)
    increment: Document = {
        "field": field,
        "format": moment_format(sent_first),
    }
    if spelled.get("lag") is not None:
        increment["lookback"] = f"{math.ceil(spelled['lag'])}{'d' if form == 'date' else 's'}"
    elif not resource.get("primary_key") or resource.get("write_disposition", "merge") != "merge":
        increment["lookback"] = "0s"  # rows that come again would be there twice
    if sent_first is not None:
        increment["initial_value"] = sent_first
    for key in ("params", "json"):
        given = endpoint.get(key) or {}
        moved = {name: value for name, value in given.items() if "incremental.start_value" in placeholders(value)}
        increment[key] = {**(sent if key == "params" else {}), **moved}
        endpoint[key] = {name: value for name, value in given.items() if name not in moved}
    kept = {key: value for key, value in increment.items() if value != {}}
    endpoint = {key: value for key, value in endpoint.items() if key not in ("params", "json") or value}
    return {**resource, "endpoint": endpoint, "incremental": {**kept, **(resource.get("incremental") or {})}}


def moment_format(value: object) -> str:
    """Return the format in which a moment is written.

    Raises:
        SpecError: It is not a moment.
    """
    return _moment_type(value)[1]


def _moment_type(initial: object) -> tuple[str, str]:
    """Return the type and format of a moment, as its first value shows them.

    Raises:
        SpecError: It is not a moment.
    """
    match initial:
        case None | "{start_date}":
            return "timestamp", "iso"
        case bool():
            pass
        case int() | float() if initial >= 1e8:
            return "timestamp", "epoch_ms" if initial >= 1e11 else "epoch_s"
        case datetime():
            return "timestamp", "iso"
        case date():
            return "date", "date"
        case str() if re.fullmatch(r"\d{4}-\d{2}-\d{2}", initial):
            return "timestamp", "date"
        case str() if re.match(r"\d{4}-\d{2}-\d{2}[T ]", initial):
            return "timestamp", _format_of_text(initial)
        case str() if re.fullmatch(r"\d{9,13}", initial):
            return "timestamp", "epoch_ms" if len(initial) > 11 else "epoch_s"
    raise SpecError(
        f"expected a moment, got {initial!r}: increments by other values have no counterpart",
        f"{_INCREMENTAL_KEY}.initial_value",
    )


def _format_of_text(moment: str) -> str:
    """Return the format of a moment, to the second as it is written: many APIs take no other."""
    found = re.fullmatch(r".{10}(.)\d\d:\d\d(:\d\d)?(Z?)", moment)
    return f"%Y-%m-%d{found[1]}%H:%M{':%S' if found[2] else ''}{found[3]}" if found else "iso"


def _one_name(value: Any) -> Any:
    """Return a template in which every word for the start is the same: before the first read all of them are."""
    if isinstance(value, str):
        return _OTHER_STARTS.sub(START_VALUE, value)
    if isinstance(value, dict):
        return {key: _one_name(item) for key, item in value.items()}
    return [_one_name(item) for item in value] if isinstance(value, list) else value


def _with_ends(value: Any, end: object) -> Any:
    if isinstance(value, str) and _END in value:
        if end is None:
            raise SpecError("no end_value fills {incremental.end_value}", _INCREMENTAL_KEY)
        return value.replace(_END, str(end))
    if isinstance(value, dict):
        return {key: _with_ends(item, end) for key, item in value.items()}
    return [_with_ends(item, end) for item in value] if isinstance(value, list) else value
