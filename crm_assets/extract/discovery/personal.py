"""Classes of personal data, inferred from names and values; in doubt a column is masked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_BY_NAME = {
    "email": r"e?mail(_address)?s?",
    "phone": r"phones?|mobile|fax|tel|telephone|cell|phone_number",
    "birth_date": r"birth(day|date|_date)?|date_of_birth|dob",
    "secret": r"password|passwd|secret|api_key|access_token",
    "online_id": r"ip|ip_address|cookie|device_id|user_agent",
    "address": r"street\w*|address\w*|zip(_?code)?|postal(_code)?|postcode|city|latitude|longitude",
    "name": r"(first|last|full|given|family|middle|sur|display|user|contact|customer|person|owner)_?name|name|nickname",
    "text": r"notes?|description|comments?|body|message|subject|content|summary",
    "url": r"linkedin\w*|twitter\w*|facebook\w*|avatar\w*|photo\w*|picture\w*",
}
"""Class to the end of a column's name, in whole words; the first class that applies counts."""
_NAME_PATTERNS = {kind: re.compile(rf"(?:.*_)?(?:{pattern})") for kind, pattern in _BY_NAME.items()}


def personal_class(name: str, type_: str, values: Iterable[Any]) -> str | None:
    """Return the class of personal data in a column, or ``None``.

    Args:
        name: The column's name.
        type_: Its type; numbers and flags are judged by their name alone.
        values: What it holds in the sample.
    """
    texts = [str(value) for value in values]
    if type_ == "json":
        return "record" if any(_EMAIL.search(text) for text in texts) else None
    if type_ == "text" and any(_EMAIL.fullmatch(text.strip()) for text in texts):
        return "email"
    found = next((kind for kind, pattern in _NAME_PATTERNS.items() if pattern.fullmatch(name)), None)
    harmless = type_ in ("bool", "timestamp") or (type_ != "text" and found in ("name", "text", "url", "email"))
    return None if harmless else found
