"""What a server says of an error, as one short sentence."""

from __future__ import annotations

import msgspec

_MESSAGE_KEYS = ("errordescription", "detail", "message", "error", "errors", "title", "errorcode")
_MESSAGE_LENGTH = 200
"""Characters of a server's sentence that are passed on."""


def error_message(body: bytes, content_type: str) -> str:
    """Return the message of an error body if it is JSON, without its full stop; others say nothing useful."""
    if "json" not in content_type:
        return ""
    try:
        message = _message(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return " ".join(message.split())[:_MESSAGE_LENGTH].rstrip(".")


def _message(body: object) -> str:
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(filter(None, (_message(item) for item in body[:3])))
    if isinstance(body, dict):
        lowered = {str(key).lower(): value for key, value in body.items()}
        message_text = next((text for key in _MESSAGE_KEYS if key in lowered and (text := _message(lowered[key]))), "")
        return message_text or _by_field(lowered.get("errors"))
    return ""


def _by_field(errors: object) -> str:
    """Return what is said of each field: ``{"name": ["is missing"]}``."""
    if not isinstance(errors, dict):
        return ""
    return "; ".join(f"{name} {text}" for name, value in list(errors.items())[:3] if (text := _message(value)))
