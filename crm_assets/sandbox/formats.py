"""Answers in the formats that endpoints declare: JSON, JSON lines, CSV and XML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from starlette.responses import JSONResponse, Response

from crm_assets.declarations.models.records import ResponseDecoder


def response(body: Any, decoder: ResponseDecoder | None, headers: Mapping[str, str]) -> Response:
    """Return the answer that a decoder reads as a body.

    Args:
        body: What the answer says; a list of records for JSON lines and CSV.
        decoder: The endpoint's; JSON without one.
        headers: Further headers of the answer.
    """
    match decoder.type if decoder else "json":
        case "jsonl":
            text, kind = "".join(f"{json.dumps(record)}\n" for record in body), "application/x-ndjson"
        case "csv":
            assert decoder
            text, kind = _csv(body, decoder.delimiter), "text/csv"
        case "xml":
            ((name, content),) = body.items()
            text, kind = ET.tostring(_element(name, content), encoding="unicode"), "application/xml"
        case _:
            return JSONResponse(body, headers=headers)
    content = text.encode(decoder.encoding if decoder else "utf-8", "replace")
    return Response(content, media_type=kind, headers=headers)


def is_bare(decoder: ResponseDecoder | None) -> bool:
    """Return whether a body of this format is a list of records and nothing else."""
    return bool(decoder and decoder.type in ("jsonl", "csv"))


def _csv(records: Iterable[Mapping[str, Any]], delimiter: str) -> str:
    file, rows = io.StringIO(newline=""), list(records)
    writer = csv.writer(file, delimiter=delimiter)
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer.writerow(names or ["id"])
    writer.writerows([_word(row.get(name)) for name in names] for row in rows)
    return file.getvalue()


def _element(name: str, value: Any) -> ET.Element:
    element = ET.Element(name)
    if not isinstance(value, dict):
        element.text = _word(value)
        return element
    for key, member in value.items():
        members = [each for each in (member if isinstance(member, list) else [member]) if each is not None]
        if key == "#text":
            element.text = "".join(map(_word, members))
        elif key.startswith("@"):
            element.attrib |= {key[1:]: _word(each) for each in members}
        else:
            element.extend(_element(key, each) for each in members)
    return element


def _word(value: Any) -> str:
    """Return a value as text; CSV and XML have no other type."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
