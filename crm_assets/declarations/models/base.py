"""The common base of all models of the dialect, and the templates and layers declarations are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*)\}")
_TAGGED = frozenset({"auth", "paginator"})


class Spec(BaseModel):
    """A frozen piece of a declaration; a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)

    resolved_keys: ClassVar[frozenset[str]] = frozenset()
    """Keys people write that are resolved before the model is built."""
    loader_keys: ClassVar[frozenset[str]] = frozenset()
    """Keys the loader fills; people don't write them."""


def placeholders(template: object) -> tuple[str, ...]:
    """Return the names of all ``{placeholder}``s in a template: text, or nested lists and mappings of it."""
    if isinstance(template, str):
        return tuple(PLACEHOLDER.findall(template))
    if isinstance(template, dict):
        return tuple(name for value in template.values() for name in placeholders(value))
    if isinstance(template, (list, tuple)):
        return tuple(name for value in template for name in placeholders(value))
    return ()


def fill(template: object, values: Mapping[str, object]) -> Any:
    """Return the template with its placeholders replaced; a text that is one placeholder keeps the value's type.

    For query parameters and JSON bodies, which are encoded when they are sent. URLs need :func:`fill_url`.
    """
    if isinstance(template, str):
        whole = PLACEHOLDER.fullmatch(template)
        if whole and whole[1] in values:
            return values[whole[1]]
        return PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), template)
    if isinstance(template, dict):
        return {key: fill(value, values) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [fill(value, values) for value in template]
    return template


def fill_url(template: str, values: Mapping[str, object]) -> str:
    """Return a path or URL with its placeholders replaced by percent-encoded values, each within its own segment.

    Raises:
        ValueError: A value is empty, ``.`` or ``..``: the path would name another list than the one declared.
    """

    def encoded(match: re.Match[str]) -> str:
        if match[1] not in values:
            return match[0]
        text = str(values[match[1]])
        if text in ("", ".", ".."):
            raise ValueError(f"{text!r} cannot be used for {match[0]} in {template}")
        return quote(text, safe="")

    return PLACEHOLDER.sub(encoded, template)


def deep_merge(under: Any, over: Any) -> Any:
    """Return ``over`` laid on ``under``: mappings merge key by key, a ``None`` removes, all else replaces.

    An ``auth`` or ``paginator`` of another ``type`` replaces as a whole: the keys of one type mean nothing to another.
    """
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    result = {**under, **{key: _laid(key, under.get(key), value) for key, value in over.items()}}
    return {key: value for key, value in result.items() if not (value is None and key in over)}


def _laid(key: str, under: Any, over: Any) -> Any:
    if key in _TAGGED and isinstance(under, dict) and isinstance(over, dict) and over.get("type"):
        under = under if under.get("type") == over["type"] else {}
    return deep_merge(under, over)
