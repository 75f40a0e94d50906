"""What follows an answer, by its status and by what its body says."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

from crm_assets.declarations.models.endpoint import ResponseAction

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[msgspec.Raw])


def action_for(actions: Iterable[ResponseAction], status: int, body: bytes) -> ResponseAction | None:
    """Return the first action that applies to an answer."""
    return next((action for action in actions if _applies(action, status, body)), None)


def _applies(action: ResponseAction, status: int, body: bytes) -> bool:
    if action.status_code is not None and action.status_code != status:
        return False
    if action.content is not None and action.content not in body.decode(errors="replace"):
        return False
    if action.path is None:
        return True
    value = value_at(body, action.path)
    if action.equals is None:
        return bool(value)
    return value == action.equals and isinstance(value, bool) == isinstance(action.equals, bool)


def value_at(body: bytes, path: tuple[str, ...]) -> Any:
    """Return the value at a path of a body, ``None`` where there is none; what is beside the path is not decoded."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        raw = msgspec.Raw(body)
        for segment in path:
            members: Any = _MEMBERS.decode(raw)
            raw = members[int(segment) if isinstance(members, list) and segment.isdigit() else segment]
        return msgspec.json.decode(raw)
    return None
