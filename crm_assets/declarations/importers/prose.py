"""The prose of a seed document: what it says of fields, retries and resources outside its config."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from crm_assets.declarations.models.columns import ColumnType

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+)[ \t]+(.+?)[ \t]*$", re.MULTILINE)
_FIELD = re.compile(r"^([ \t]*)[-*][ \t]+`([^`]+)`:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_NAMED = re.compile(r"\bresources?,?(?: such as| including|:)\s+([^.]+)\.")
_WHOLE_NUMBER = re.compile(r"(^|_)id$|^total_|_count$")
_RETRIES = re.compile(r"max(?:imum)?\W+retries\W+(\d+)|maximum of (\d+) retries", re.IGNORECASE)
_CONSTANT = re.compile(r"constant backoff of (\d+)", re.IGNORECASE)
_FACTOR = re.compile(r"\bfactor(?: of)?\W+(\d+)", re.IGNORECASE)
_STATUS = re.compile(r"\b[45]\d\d\b(?!-series)")


@dataclass(frozen=True)
class FieldNote:
    """A field as the schema section lists it."""

    name: str
    type: ColumnType
    nullable: bool
    fields: list[FieldNote] = field(default_factory=list)
    """The fields listed below it."""


@dataclass(frozen=True)
class Prose:
    """What the text around the config says."""

    schema: dict[str, list[FieldNote]]
    """Fields by resource, where the schema section lists them."""
    retry: dict[str, Any]
    """An ``error_handler`` made of the section on errors; empty where that settles neither tries nor waits."""
    named: tuple[str, ...]
    """Resources that overview and headings name."""


def read_prose(text: str) -> Prose:
    """Return what a seed document says outside its fenced blocks; without such a block it is all config."""
    if "```" not in text:
        return Prose({}, {}, ())
    text = _FENCE.sub("", text)
    parts = {title: _sections(_text_below(text, title)) for title in ("Resources", "Schema")}
    schema = {name: _fields(body) for name, body in parts["Schema"].items()}
    named = [*_overview(_text_below(text, "Overview")), *parts["Resources"], *parts["Schema"]]
    retry = _retry(_text_below(text, "Error Handling"))
    return Prose({name: fields for name, fields in schema.items() if fields}, retry, tuple(dict.fromkeys(named)))


def _text_below(text: str, title: str) -> str:
    """Return what stands below a heading, up to the next one of its rank."""
    headings = list(_HEADING.finditer(text))
    for heading in headings:
        if heading[2].lower() == title.lower():
            behind = (other for other in headings if other.start() > heading.start())
            end = next((other.start() for other in behind if len(other[1]) <= len(heading[1])), len(text))
            return text[heading.end() : end]
    return ""


def _sections(text: str) -> dict[str, str]:
    """Return the parts of a section by their heading, written as the name of a resource."""
    return {re.sub(r"\W+", "_", found[2].lower()): _text_below(text, found[2]) for found in _HEADING.finditer(text)}


def _fields(text: str) -> list[FieldNote]:
    root: list[FieldNote] = []
    open_lists = [(-1, root)]
    for found in _FIELD.finditer(text):
        depth = len(found[1])
        note = FieldNote(found[2], _column_type(found[2], found[3]), "null" in found[3].split())
        while open_lists[-1][0] >= depth:
            open_lists.pop()
        open_lists[-1][1].append(note)
        open_lists.append((depth, note.fields))
    return root


def _column_type(name: str, words: str) -> ColumnType:
    word = words.split()[0]
    if word == "number":
        return ColumnType.BIGINT if _WHOLE_NUMBER.search(name) else ColumnType.DOUBLE
    known = {"string": ColumnType.TEXT, "boolean": ColumnType.BOOL, "integer": ColumnType.BIGINT}
    return known.get(word, ColumnType.JSON)


def _overview(text: str) -> list[str]:
    found = _NAMED.search(text)
    words = re.split(r",\s*(?:and\s+)?|\s+and\s+", found[1]) if found else []
    return list(takewhile(re.compile(r"[a-z_]+").fullmatch, words))


def _retry(text: str) -> dict[str, Any]:
    text = text.replace("*", "")
    retries, constant, factor = _RETRIES.search(text), _CONSTANT.search(text), _FACTOR.search(text)
    if not (retries or constant or factor):
        return {}
    statuses = sorted({int(status) for status in _STATUS.findall(text)})
    retry: dict[str, Any] = {"retry_on_status_codes": statuses} if statuses else {}
    if retries:
        retry["max_retries"] = int(retries[1] or retries[2])
    if constant:
        retry["backoff_constant"] = int(constant[1])
    elif factor:
        retry["backoff_factor"] = int(factor[1])
    return retry
