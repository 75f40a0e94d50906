"""Compressed bodies: decoded under every name, and refused by name where nothing decodes them."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from importlib.util import find_spec

import brotli
import pytest

from crm_assets.extract.errors import UnexpectedResponseError
from crm_assets.extract.http import content_encoding, transport
from crm_assets.extract.http.client import Answer
from crm_assets.extract.http.content_encoding import BrokenBodyError, decoded
from crm_assets.extract.paging.body_formats import with_json_body
from crm_assets.extract.paging.response_body import open_body
from crm_assets_tests.extract.declared import endpoint
from crm_assets_tests.extract.scripted import Reply, scripted

PLAIN = b'{"items": [1, 2, 3]}' * 50
_RAW = zlib.compressobj(wbits=-15)
RAW = _RAW.compress(PLAIN) + _RAW.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", PLAIN),
        ("identity", PLAIN),
        ("gzip", gzip.compress(PLAIN, mtime=0)),
        ("GZIP", gzip.compress(PLAIN, mtime=0)),
        ("x-gzip", gzip.compress(PLAIN, mtime=0)),
        ("gzip", gzip.compress(PLAIN[:100], mtime=0) + gzip.compress(PLAIN[100:], mtime=0)),
        ("gzip", PLAIN),
        ("deflate", zlib.compress(PLAIN)),
        ("deflate", RAW),
        ("deflate, gzip", gzip.compress(zlib.compress(PLAIN), mtime=0)),
        ("br", brotli.compress(PLAIN)),
    ],
)
def test_every_spelling_is_decoded(encoding: str, body: bytes) -> None:
    assert decoded(body, encoding) == PLAIN
    assert decoded(b"", encoding) == b""


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(PLAIN, mtime=0)),
        ("deflate", zlib.compress(PLAIN)),
        ("deflate", RAW),
        ("br", brotli.compress(PLAIN)),
    ],
)
def test_a_body_that_is_cut_short_is_a_broken_connection(encoding: str, body: bytes) -> None:
    for length in range(1, len(body)):
        with pytest.raises(BrokenBodyError):
            decoded(body[:length], encoding)


def bomb(wbits: int) -> bytes:
    packer = zlib.compressobj(9, wbits=wbits)
    return packer.compress(b"[" * 1_000_001) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", bomb(31)),
        ("deflate", bomb(15)),
        ("deflate", bomb(-15)),
        ("br", brotli.compress(b"[" * 1_000_001)),
    ],
)
def test_a_body_that_unpacks_to_more_than_any_page_is_refused(
    encoding: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_encoding, "LONGEST_BODY", 1_000_000)
    with pytest.raises(UnexpectedResponseError, match="larger than 1 GB"):
        decoded(body, encoding)


ZSTD = b'(\xb5/\xfd`\xe8\x02\xdd\x00\x00\xa0{"items": [1, 2, 3]}\x01\x00\xa2_5\x99'
"""``PLAIN``, packed."""


def test_zstd_is_decoded_or_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    if not any(find_spec(name.split(".")[0]) and find_spec(name) for name in ("compression.zstd", "backports.zstd")):
        with pytest.raises(UnexpectedResponseError, match=r"pip install backports\.zstd"):
            decoded(ZSTD, "zstd")
        return
    assert decoded(ZSTD, "zstd") == PLAIN
    assert decoded(ZSTD * 2, "zstd") == PLAIN * 2
    for length in range(1, len(ZSTD)):
        with pytest.raises(BrokenBodyError):
            decoded(ZSTD[:length], "zstd")
    monkeypatch.setattr(content_encoding, "LONGEST_BODY", len(PLAIN) - 1)
    with pytest.raises(UnexpectedResponseError, match="larger than 1 GB"):
        decoded(ZSTD, "zstd")


def test_a_body_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LONGEST_BODY", 1_000_000)

    async def read() -> None:
        async with scripted([Reply(body=b" " * 1_000_001)]) as server, transport.Transport(1) as sender:
            await sender.exchange("GET", server.url, {})

    with pytest.raises(UnexpectedResponseError, match="larger than 1 GB"):
        asyncio.run(read())


_TEXT = '[{"id": 1, "name": "Jürgen"}]'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json; charset=ISO-8859-1", _TEXT.encode("latin-1")),
        ('application/json;charset="windows-1252"', _TEXT.encode("cp1252")),
        ("application/json; charset=ISO-8859-1", _TEXT.encode()),
        ("application/json; charset=nonsense", _TEXT.encode()),
        ("application/json", _TEXT.encode("utf-16")),
        ("application/json; charset=utf-16le", _TEXT.encode("utf-16-le")),
    ],
)
def test_json_is_read_in_the_charset_it_is_sent_in(content_type: str, body: bytes) -> None:
    assert (
        open_body(with_json_body(Answer(body, content_type), None), endpoint(data_selector="$")).records.decode()
        == _TEXT
    )


@pytest.mark.parametrize(
    "content_type", ["application/json", *(f"text/json; charset={n}" for n in ("x", "idna", "hex"))]
)
def test_a_charset_that_is_not_named_is_not_guessed(content_type: str) -> None:
    with pytest.raises(UnexpectedResponseError, match="not valid JSON"):
        open_body(with_json_body(Answer(_TEXT.encode("latin-1"), content_type), None), endpoint(data_selector="$"))


def test_an_encoding_nothing_decodes_is_named() -> None:
    with pytest.raises(UnexpectedResponseError, match="which is unknown"):
        decoded(b"xyz", "compress")
