"""The records of one page on their way to the decoder."""

from __future__ import annotations

from dataclasses import dataclass

from crm_assets.extract.decode.record_validator import RecordKey


@dataclass(frozen=True)
class Records:
    """The records of one page, still as bytes, with the values its request was made with."""

    array: bytes
    companions: bytes | None
    values: tuple[str | None, ...]
    fits: bool
    """Whether all of them hold only declared fields of declared types."""
    count: int
    fingerprint: RecordKey
    left_out: int = 0
    """How many records of the page the resource's filters leave out; they are in ``count``."""
    marked: bool = True
    """Whether numbers must be marked on their way through DuckDB, to keep their digits."""
