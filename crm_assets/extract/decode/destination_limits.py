"""What a destination cannot hold, so that it is found before the load."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DestinationLimits:
    """Limits of a destination beyond those of the declared types."""

    nul: bool = True
    """Whether a text may contain the NUL character."""
    json_digits: int | None = None
    """Greatest power of ten of a number inside JSON, if there is one."""


UNLIMITED = DestinationLimits()
"""DuckDB: JSON is kept as text, and texts may contain any character."""
POSTGRES = DestinationLimits(nul=False, json_digits=100_000)
"""PostgreSQL: neither ``text`` nor ``jsonb`` has U+0000, and ``jsonb`` numbers are ``numeric`` (131,072 digits)."""


def limits_of(destination: str) -> DestinationLimits:
    """Return the limits of a destination by dlt's name for it."""
    return POSTGRES if destination == "postgres" else UNLIMITED
