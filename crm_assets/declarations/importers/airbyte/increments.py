"""Increments of a manifest: from where a list is read on, and up to when."""

from __future__ import annotations

import re
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.airbyte.expressions import Moment, Named, NoCounterpartError, named
from crm_assets.declarations.json_path import place
from crm_assets.declarations.models.incremental import END_VALUE, START_VALUE

_FORMATS = {
    "%s": "epoch_s",
    "%s_as_float": "epoch_s",
    "%ms": "epoch_ms",
    "%epoch_microseconds": None,
    "%Y-%m-%d": "date",
    "%Y-%m-%dT%H:%M:%S": "local",
}


class Increment:
    """The increment of a stream, if it has one, while its requests are turned.

    Args:
        given: ``incremental_sync`` of the stream.
    """

    def __init__(self, given: Any) -> None:
        self.given: Document = given if isinstance(given, dict) else {}
        self.notes: list[str] = []
        self.losses: list[str] = []
        kind = self.given.get("type")
        if kind and kind != "DatetimeBasedCursor":
            self.losses.append(f"the list is read by {kind}; here it is read in full")
            self.given = {}
        self.used = False
        self.ends = False

    @property
    def format(self) -> str:
        """How requests write its times.

        Raises:
            NoCounterpartError: In a way that has no counterpart.
        """
        pattern = str(self.given.get("datetime_format", "%Y-%m-%dT%H:%M:%S%z"))
        if pattern in _FORMATS:
            found = _FORMATS[pattern]
            if found is None:
                raise NoCounterpartError(f"times as {pattern} have no counterpart")
            return found
        if pattern.endswith(("Z", "%z", "+00:00")) and "T" in pattern:
            return "iso"
        return pattern.replace("%_ms", "000")

    def bounds(self) -> tuple[dict[str, str], Document]:
        """Return the query parameters and the body that say from when on, and up to when."""
        params: dict[str, str] = {}
        body: Document = {}
        for key, value in (("start_time_option", START_VALUE), ("end_time_option", END_VALUE)):
            option = self.given.get(key)
            if not isinstance(option, dict):
                continue
            name, target = option.get("field_name"), option.get("inject_into")
            if target == "request_parameter" and name:
                params[str(name)] = value
            elif target == "body_json":
                path = [str(part) for part in option.get("field_path") or [name]]
                place(body, path, value)
            else:
                self.losses.append(f"times in {target} of a request are not sent: the list is read in full")
                continue
            self.used = True
        return params, body

    def value(self, found: Named) -> str | None:
        """Return the placeholder for a bound of the interval that a template names, or ``None``."""
        if found.root not in ("stream_interval", "stream_slice") or not self.given or not found.path:
            return None
        start = self.given.get("partition_field_start", "start_time")
        end = self.given.get("partition_field_end", "end_time")
        values = {start: START_VALUE, end: END_VALUE, "start_time": START_VALUE, "end_time": END_VALUE}
        text = values.get(found.path[-1])
        self.used = self.used or text is not None
        return text

    def document(self, field: str, params: Document, body: Document) -> Document:
        """Return the increment by a column.

        Args:
            field: The column.
            params: Parameters that hold a bound.
            body: The part of the body that holds one.
        """
        increment: Document = {
            "field": field,
            "format": self.format,
            "lookback": f"{seconds(self.given.get('lookback_window'))}s",
        }
        if params:
            increment["params"] = params
        if body:
            increment["json"] = body
        initial = self._initial()
        if self.given.get("step") and any(END_VALUE in str(each) for each in (*params.values(), body)):
            self.notes.append(f"the whole range is requested at once, not in steps of {self.given['step']}")
        return {**increment, "initial_value": initial}

    def _initial(self) -> str:
        """Return the start of the first read, which is the connection's day where the manifest leaves it open."""
        start = self.given.get("start_datetime")
        text = start.get("datetime") if isinstance(start, dict) else start
        if isinstance(text, str) and "{" not in text and self.format in ("iso", "date") and re.match(r"\d{4}-", text):
            return text[:10] if self.format == "date" else text
        self.notes.append("reading begins at start_date of the connection")
        return "{start_date}"


def seconds(given: Any) -> int:
    """Return the seconds of a span as ISO 8601 writes it, such as ``P1DT2H``; 0 where it is none."""
    found = re.fullmatch(r"P(?:(\d+)([DWMY]))?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", str(given or ""))
    if not found:
        return 0
    days = int(found[1] or 0) * {"D": 1, "W": 7, "M": 31, "Y": 366}.get(found[2] or "D", 1)
    return days * 86400 + int(found[3] or 0) * 3600 + int(found[4] or 0) * 60 + int(found[5] or 0)


def is_now(text: Any) -> bool:
    """Whether a template is the moment of the read."""
    return isinstance(named(text), Moment)
