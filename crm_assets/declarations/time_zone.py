"""Names of time zones."""

from __future__ import annotations

from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

from crm_assets.declarations.errors import nearest


def _known(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"unknown time zone {name!r}{nearest(name, available_timezones())} Use an IANA name or UTC"
        ) from None
    return name


TimeZoneName: TypeAlias = Annotated[str, AfterValidator(_known)]
"""A zone of the IANA database, such as ``Europe/Berlin``."""
