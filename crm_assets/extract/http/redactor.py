"""Secrets kept out of everything that is said, in all forms in which a server may repeat them."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_ESCAPED_BYTE = re.compile("%[0-9A-F]{2}")
_SHORTEST = 4
"""Characters of a form that is kept out; shorter ones are part of words."""


class Redactor:
    """Keeps the secrets of a connection out of everything that is said."""

    def __init__(self) -> None:
        self._values: list[str] = []

    def remember(self, *values: str) -> None:
        """Take secrets, or what is sent for them; all forms they may come back in are kept out as well."""
        parts = {part for value in values for part in (value, value.rsplit(" ", 1)[-1]) if len(part) >= _SHORTEST}
        known = {*self._values, *(form for part in parts for form in _forms(part))}
        self._values = sorted(known, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text with each of them replaced by ``***``."""
        for value in self._values:
            text = text.replace(value, "***")
        return text


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, in addresses, in JSON, in web pages, and in base64."""
    yield secret
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield _ESCAPED_BYTE.sub(lambda found: found[0].lower(), quoted)
    for escaped in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield escaped
        yield escaped.replace("/", "\\/")
    yield html.escape(secret)
    yield b64encode(secret.encode()).decode().rstrip("=")
    yield urlsafe_b64encode(secret.encode()).decode().rstrip("=")
