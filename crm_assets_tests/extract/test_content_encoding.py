"""Compressed bodies: decoded under every name, and refused by name where nothing decodes them."""

from __future__ import annotations

import gzip
import zlib

import pytest

from crm_assets.extract.errors import UnexpectedResponseError
from crm_assets.extract.http.content_encoding import BrokenBodyError, decoded

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
    ],
)
def test_every_spelling_is_decoded(encoding: str, body: bytes) -> None:
    assert decoded(body, encoding) == PLAIN
    assert decoded(b"", encoding) == b""


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzip.compress(PLAIN, mtime=0)), ("deflate", zlib.compress(PLAIN)), ("deflate", RAW)],
)
def test_a_body_that_is_cut_short_is_a_broken_connection(encoding: str, body: bytes) -> None:
    for length in range(1, len(body)):
        with pytest.raises(BrokenBodyError):
            decoded(body[:length], encoding)


def test_an_encoding_nothing_decodes_is_named() -> None:
    with pytest.raises(UnexpectedResponseError, match="which is unknown"):
        decoded(b"xyz", "compress")
