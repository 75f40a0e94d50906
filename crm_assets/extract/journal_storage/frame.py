"""An entry of a journal as it is kept: compressed, behind its sizes and its checksum."""

from __future__ import annotations

import struct
import zlib

import pyarrow as pa

_HEAD = struct.Struct("<4sIII")
"""Mark, bytes as packed, bytes unpacked, checksum."""
HEAD_BYTES = _HEAD.size
_MARK = b"crm1"
_MOST = 1 << 30
"""Bytes of an entry; more than any page has, less than would fill the memory."""
_CODEC = pa.Codec("lz4")  # a page takes it a tenth of a millisecond, in which the next one waits


def framed(entry: bytes) -> bytes:
    """Return an entry as it is kept.

    Raises:
        OSError: It is too large.
    """
    if len(entry) > _MOST:
        raise OSError(f"an entry of {len(entry)} bytes cannot be kept")
    packed: bytes = _CODEC.compress(entry, asbytes=True)
    return _HEAD.pack(_MARK, len(packed), len(entry), zlib.crc32(packed)) + packed


def packed_size(head: bytes) -> int | None:
    """Return how many bytes follow a head; ``None`` if it is not one."""
    if len(head) < _HEAD.size:
        return None
    mark, packed, size, _ = _HEAD.unpack_from(head)
    return packed if mark == _MARK and size <= _MOST else None


def unframed(frame: bytes) -> bytes | None:
    """Return the entry of a frame; ``None`` if it does not agree with its checksum."""
    packed = frame[_HEAD.size :]
    if packed_size(frame) != len(packed):
        return None
    _, _, size, checksum = _HEAD.unpack_from(frame)
    if zlib.crc32(packed) != checksum:
        return None
    try:
        return bytes(_CODEC.decompress(packed, size, asbytes=True))
    except (pa.ArrowException, OSError):
        return None
