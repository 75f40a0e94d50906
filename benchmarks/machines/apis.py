"""The APIs that ``strict_api.py`` serves."""

from __future__ import annotations

import json
import urllib.request

from machines.fleet import API


def api(**settings: float) -> dict[str, dict[str, int]]:
    """Change how the APIs answer, or return what they were asked."""
    path = "__set?" + "&".join(f"{name}={value}" for name, value in settings.items()) if settings else "__stats"
    answer: dict[str, dict[str, int]] = json.load(urllib.request.urlopen(f"{API}/{path}", timeout=30))
    return answer
