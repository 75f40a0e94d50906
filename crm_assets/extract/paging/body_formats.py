"""Bodies that are not JSON, as JSON: lines, CSV, XML, and files packed with gzip."""

from __future__ import annotations

import codecs
import csv
import io
import re
import zlib
from contextlib import suppress
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from crm_assets.declarations.models.records import ResponseDecoder
from crm_assets.extract.errors import UnexpectedResponseError
from crm_assets.extract.http.client import Answer
from crm_assets.extract.http.content_encoding import LONGEST_BODY

_GZIP = b"\x1f\x8b"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:+-]+)""", re.IGNORECASE)
_LARGEST_FIELD = 2**31 - 1
"""Characters of a CSV field; Python's own limit of 131,072 is below what CRMs keep in a note."""
_BY_CONTENT_TYPE = {
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/json-lines": "jsonl",
    "text/csv": "csv",
}
"""Formats that a server names itself."""


def with_json_body(answer: Answer, declared: ResponseDecoder | None) -> Answer:
    """Return an answer with a JSON body.

    Args:
        answer: The answer as it came.
        declared: How its body is to be read; ``None`` goes by the content type, which is JSON in most cases.

    Raises:
        UnexpectedResponseError: The body is not in that format.
    """
    body = _gunzipped(answer.body) if answer.body.startswith(_GZIP) else answer.body
    named = _BY_CONTENT_TYPE.get(answer.content_type.partition(";")[0].strip().lower(), "json")
    decoder = declared or ResponseDecoder.model_validate(named)
    if not body.strip() and decoder.type == "jsonl":  # a file of no lines has no records
        return replace(answer, body=b"[]", content_type="application/json")
    if not body.strip() or decoder.type == "json":
        utf8 = _as_utf8(body, answer.content_type)
        return answer if utf8 is answer.body else replace(answer, body=utf8, content_type="application/json")
    if decoder.type != "xml" and decoder.encoding == "utf-8":  # XML says itself what it is written in
        body = _as_utf8(body, answer.content_type)
    try:
        body = {"jsonl": _of_lines, "csv": _of_csv, "xml": _of_xml}[decoder.type](body, decoder)
    except (UnicodeDecodeError, csv.Error, ET.ParseError, _FormatError) as error:
        raise UnexpectedResponseError(
            f"the answer is not valid {decoder.type.upper()} ({error}); it may be cut short. "
            f"Nothing of this list was loaded",
            status=answer.status,
        ) from error
    return replace(answer, body=body, content_type="application/json")


class _FormatError(Exception):
    """A body breaks a rule of its format that its parser does not know."""


def _as_utf8(body: bytes, content_type: str) -> bytes:
    """Return a body in UTF-8: what is not, by its byte order mark or by the charset of its content type.

    Many servers name a charset by default and send UTF-8 all the same.
    """
    named = _CHARSET.search(content_type)
    charset = "utf-16" if body.startswith(_UTF_16) else named[1].lower() if named else "utf-8"
    wide = charset.startswith(("utf-16", "utf-32"))
    if charset in ("utf-8", "utf8") or (body.isascii() and not wide):
        return body
    with suppress(UnicodeError, LookupError):  # the server chose the name, and some codecs raise what others do not
        return body if not wide and _is_utf8(body) else body.decode(charset).encode()
    return body


def _is_utf8(body: bytes) -> bool:
    with suppress(UnicodeDecodeError):
        body.decode()
        return True
    return False


def _gunzipped(body: bytes) -> bytes:
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        result = unpacking.decompress(body, LONGEST_BODY)
    except zlib.error as error:
        raise UnexpectedResponseError(f"the answer is a damaged gzip file ({error})", status=200) from error
    if not unpacking.eof:
        what = "larger than 1 GB" if unpacking.unconsumed_tail else "cut short"
        raise UnexpectedResponseError(f"the answer is a gzip file that is {what}", status=200)
    return result


def _of_lines(body: bytes, decoder: ResponseDecoder) -> bytes:
    text = body.decode(decoder.encoding).removeprefix("\ufeff")
    # Only a line feed ends a line: str.splitlines() would also split at separators that texts may contain.
    return ("[" + ",".join(line for line in text.split("\n") if line.strip()) + "]").encode()


def _of_csv(body: bytes, decoder: ResponseDecoder) -> bytes:
    csv.field_size_limit(_LARGEST_FIELD)
    text = body.decode(decoder.encoding).removeprefix("\ufeff")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=decoder.delimiter, strict=True)
    rows = filter(None, reader)
    names = next(rows, None)
    if names is None:
        raise _FormatError("no line has the names of columns")
    if len(set(names)) < len(names):
        raise _FormatError(f"two columns have one name: {', '.join(names)}")
    records = []
    for row in rows:
        if len(row) != len(names):
            raise _FormatError(f"line {reader.line_num} has {len(row)} fields, and the first one has {len(names)}")
        records.append({name: value or None for name, value in zip(names, row, strict=True)})
    return msgspec.json.encode(records)


def _of_xml(body: bytes, _: ResponseDecoder) -> bytes:
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise _FormatError("it defines entities, which may stand for any amount of text")
    root = ET.fromstring(body)  # noqa: S314  # entities are refused above, and expat limits their growth
    return msgspec.json.encode({_local_name(root.tag): _element(root)})


def _element(element: ET.Element) -> Any:
    """Return an element: its text, or an object of attributes, members and text; a repeated member is a list."""
    members: dict[str, Any] = {f"@{_local_name(name)}": value for name, value in element.attrib.items()}
    for child in element:
        name, value = _local_name(child.tag), _element(child)
        if name not in members:
            members[name] = value
        elif isinstance(members[name], list):
            members[name].append(value)
        else:
            members[name] = [members[name], value]
    text = (element.text or "").strip()
    if not members:
        return text or None
    return {**members, "#text": text} if text else members


def _local_name(tag: str) -> str:
    """Return a name without its namespace."""
    return tag.rpartition("}")[2]
