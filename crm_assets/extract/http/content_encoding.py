"""Compressed bodies: decoded by their ``Content-Encoding``, or refused by its name.

Gzip and deflate are asked for. Brotli is decoded too, and zstd where Python has a module for it, because some servers
and caches send them unasked.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from importlib import import_module
from io import BytesIO
from types import ModuleType

from crm_assets.extract.errors import UnexpectedResponseError

ACCEPTED = "gzip, deflate"
LONGEST_BODY = 1_000_000_000
"""Bytes that a body may have, packed or unpacked; beyond, it is a mistake or meant to fill the memory."""
_PLAIN = frozenset({"", "identity", "none", "utf-8", "binary", "aws-chunked"})
"""What servers write into the header of a body that is not compressed."""
_ZSTD = ("compression.zstd", "backports.zstd")
"""Modules that decode it: Python's own since 3.14, and the same as a package; `zstandard` overlooks a missing end."""


class BrokenBodyError(Exception):
    """A compressed body ends too early or is damaged, as after a broken connection."""


def decoded(body: bytes, encoding: str) -> bytes:
    """Return a body without its content encodings.

    Args:
        body: The bytes as they were sent.
        encoding: The header's value: names separated by commas, the one applied last at the end.

    Raises:
        BrokenBodyError: The body is cut short or damaged.
        UnexpectedResponseError: Nothing here decodes the encoding, or the body is longer than any page.
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        if name not in _PLAIN and body and not _looks_plain(body, name):
            body = _decode(body, name)
    return body


def _looks_plain(body: bytes, name: str) -> bool:
    """Whether JSON was sent as it is under the name of an encoding whose bodies never begin so."""
    return name in ("gzip", "x-gzip", "zstd") and body.lstrip()[:1] in (b"{", b"[")


def _decode(body: bytes, name: str) -> bytes:
    match name:
        case "gzip" | "x-gzip":
            return _inflated(body, 16 + zlib.MAX_WBITS)
        case "deflate":
            return _inflated(body, zlib.MAX_WBITS if body[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        case "br":
            return _of_brotli(body)
        case "zstd":
            return _of_zstd(body)
        case _:
            raise UnexpectedResponseError(
                f"the server sent a body with Content-Encoding {name[:40]!r}, which is unknown"
            )


def _inflated(body: bytes, window_bits: int) -> bytes:
    """Return the members of a zlib stream, one after the other."""
    parts, room = [], LONGEST_BODY
    while body:
        member = zlib.decompressobj(window_bits)
        try:
            parts.append(member.decompress(body, room + 1))
        except zlib.error as error:
            raise BrokenBodyError(f"a compressed body is damaged ({error})") from error
        room -= len(parts[-1])
        if room < 0:
            raise too_long()
        if not member.eof:
            raise BrokenBodyError("a compressed body is cut short")
        body = member.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _of_brotli(body: bytes) -> bytes:
    import brotli

    stream = brotli.Decompressor()
    try:
        plain: bytes = stream.process(body, output_buffer_limit=LONGEST_BODY + 1)
    except brotli.error as error:
        raise BrokenBodyError(f"a body with Content-Encoding br is damaged ({error})") from error
    if len(plain) > LONGEST_BODY:
        raise too_long()
    if not stream.is_finished():
        raise BrokenBodyError("a body with Content-Encoding br is cut short")
    return plain


def _of_zstd(body: bytes) -> bytes:
    module = _zstd_module()
    try:
        with module.open(BytesIO(body)) as stream:
            plain: bytes = stream.read(LONGEST_BODY + 1)
    except (EOFError, module.ZstdError) as error:
        raise BrokenBodyError(f"a body with Content-Encoding zstd is damaged ({error})") from error
    if len(plain) > LONGEST_BODY:
        raise too_long()
    return plain


def _zstd_module() -> ModuleType:
    for name in _ZSTD:
        with suppress(ImportError):
            return import_module(name)
    raise UnexpectedResponseError(
        f"the server sent a body with Content-Encoding zstd, though {ACCEPTED} was asked for; "
        f"`pip install {_ZSTD[-1]}` makes it readable"
    )


def too_long() -> UnexpectedResponseError:
    """Return the error of a body that is longer than :data:`LONGEST_BODY`."""
    return UnexpectedResponseError("the answer is larger than 1 GB; ask for smaller pages", status=200)
