"""Compressed bodies: decoded by their ``Content-Encoding``, or refused by its name.

Gzip and deflate are asked for. Brotli and zstd are decoded where Python has a module for them, because some servers and
caches send them unasked.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module

from crm_assets.extract.errors import UnexpectedResponseError

ACCEPTED = "gzip, deflate"
LONGEST_BODY = 1_000_000_000
"""Bytes that a body may have, packed or unpacked; beyond, it is a mistake or meant to fill the memory."""
_PLAIN = frozenset({"", "identity", "none", "utf-8", "binary", "aws-chunked"})
"""What servers write into the header of a body that is not compressed."""
_MODULES = {"br": ("brotli", "brotlicffi"), "zstd": ("compression.zstd", "backports.zstd", "zstandard")}


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
        case "br" | "zstd":
            decompress = _decompressor(name)
            try:
                return decompress(body)
            except Exception as error:  # each of these modules raises a class of its own
                raise BrokenBodyError(f"a body with Content-Encoding {name} is damaged ({error})") from error
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


def too_long() -> UnexpectedResponseError:
    """Return the error of a body that is longer than :data:`LONGEST_BODY`."""
    return UnexpectedResponseError("the answer is larger than 1 GB; ask for smaller pages", status=200)


def _decompressor(name: str) -> Callable[[bytes], bytes]:
    for module in _MODULES[name]:
        try:
            found: Callable[[bytes], bytes] = import_module(module).decompress
        except (ImportError, AttributeError):
            continue
        return found
    raise UnexpectedResponseError(
        f"the server sent a body with Content-Encoding {name}, though {ACCEPTED} was asked for; "
        f"`pip install {_MODULES[name][-1] if name == 'zstd' else _MODULES[name][0]}` makes it readable"
    )
