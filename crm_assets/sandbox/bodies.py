"""Bodies of answers: records where selectors find them, values around them, in the format an endpoint declares."""

from __future__ import annotations

import csv
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from starlette.responses import JSONResponse, Response

from crm_assets.declarations.json_path import WILDCARD, Segments, dig, place
from crm_assets.declarations.models.endpoint import Endpoint, Include
from crm_assets.declarations.models.records import ResponseDecoder

Record = dict[str, Any]
_GROUP = 3
"""Records of a group, where a selector walks through groups."""


def answer(endpoint: Endpoint, records: list[Record], values: dict[Segments, Any], headers: dict[str, str]) -> Response:
    """Return an answer in the format of an endpoint: records where its selector finds them, and values by path."""
    companions = {endpoint.include.path: _split_companions(endpoint.include, records)} if endpoint.include else {}
    wrapped = [{endpoint.unwrap: record} if endpoint.unwrap else record for record in records]
    body = enveloped(_listed_at(list_path(endpoint), wrapped), {**values, **companions})
    decoder = endpoint.decoder or ResponseDecoder(type="json")
    match decoder.type:
        case "jsonl":
            text, kind = "".join(f"{json.dumps(record)}\n" for record in wrapped), "application/x-ndjson"
        case "csv":
            text, kind = _csv(wrapped, decoder.delimiter), "text/csv"
        case "json":
            return JSONResponse(body, headers=headers)
        case "xml":
            ((name, content),) = body.items()
            text, kind = ET.tostring(_element(name, content), encoding="unicode"), "application/xml"
    return Response(text.encode(decoder.encoding, "replace"), headers=headers, media_type=kind)


def enveloped(body: Any, values: Mapping[Segments, Any]) -> Any:
    """Return the body with values at their paths; a bare array has no room for any."""
    if isinstance(body, dict):
        for path, value in values.items():
            place(body, path, value)
    return body


def list_path(endpoint: Endpoint) -> Segments:
    """Return the path of an endpoint's list; ``data`` if none is declared."""
    return ("data",) if endpoint.data_selector is None else endpoint.data_selector


def join_companion(include: Include, record: Record) -> None:
    """Let a record refer to its JSON:API companion, by an id made of its content; an empty one has none."""
    companion = record.get(include.field) or {}
    key = f"{include.type or 'companion'}-{zlib.crc32(json.dumps(companion, sort_keys=True).encode()):08x}"
    place(record, include.on, key if any(value is not None for value in companion.values()) else None)


def _split_companions(include: Include, records: list[Record]) -> list[Record]:
    """Take the companions out of the records and return them, each once, the way JSON:API includes them."""
    kind = {"type": include.type} if include.type else {}
    companions = {dig(record, include.on): record.pop(include.field, None) for record in records}
    return [{"id": key, **kind, **companion} for key, companion in companions.items() if key is not None]


def _listed_at(selector: Sequence[str], records: list[Any]) -> Any:
    """Return the smallest body in which the selector finds the records."""
    if not selector:
        return records
    head, rest = selector[0], selector[1:]
    if head != WILDCARD:
        return {head: _listed_at(rest, records)}
    if not rest:
        return records
    return [_listed_at(rest, records[index : index + _GROUP]) for index in range(0, len(records), _GROUP)]


def _csv(records: list[Record], delimiter: str) -> str:
    file = io.StringIO(newline="")
    names = list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(file, names or ["id"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows({name: _word(value) for name, value in record.items()} for record in records)
    return file.getvalue()


def _element(name: str, value: Any) -> ET.Element:
    element = ET.Element(name)
    for key, member in value.items() if isinstance(value, dict) else [("#text", value)]:
        for each in member if isinstance(member, list) else [member]:
            if key == "#text":
                element.text = _word(each)
            elif key.startswith("@") and each is not None:
                element.set(key[1:], _word(each))
            elif each is not None:
                element.append(_element(key, each))
    return element


def _word(value: Any) -> str:
    """Return a value as text; CSV and XML have no other type."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
