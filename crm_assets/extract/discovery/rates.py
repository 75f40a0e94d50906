"""What the headers of an answer say about the vendor's rate limit."""

from __future__ import annotations

import re
from collections.abc import Mapping

from crm_assets.extract.paging.signs import as_int

_PERIOD_NAMES = {1: "second", 60: "minute", 3600: "hour", 86_400: "day"}
_LIMIT = re.compile(r"(x-)?rate-?limit(-limit)?(-(requests|second|minute|hour|day))?", re.IGNORECASE)
_POLICY = re.compile(r"(?:\"[^\"]*\";\s*)?q?=?(\d{1,9})\s*;\s*w=(\d{1,6})\b")


def rate_of(headers: Mapping[str, str]) -> tuple[dict[str, object] | None, str]:
    """Return the declared form of a rate limit with a period that is sure, and otherwise a sentence about it."""
    policy = _POLICY.match(headers.get("RateLimit-Policy", ""))
    if policy and int(policy[1]) > 0 and int(policy[2]) in _PERIOD_NAMES:
        return {"requests": int(policy[1]), "per": _PERIOD_NAMES[int(policy[2])]}, ""
    for name, value in headers.items():
        count = as_int(value)
        if _LIMIT.fullmatch(name) and count and 0 < count < 10**9:
            return None, f"the server sends {name}: {count}; set rate_limit once you know for which period it counts"
    return None, ""
