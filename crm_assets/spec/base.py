"""The common base of all models of the dialect."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


class Spec(BaseModel):
    """A frozen piece of a declaration; a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def placeholders(template: object) -> tuple[str, ...]:
    """Return the names of all ``{placeholder}``s in a template: text, or nested lists and mappings of it."""
    if isinstance(template, str):
        return tuple(PLACEHOLDER.findall(template))
    if isinstance(template, dict):
        return tuple(name for value in template.values() for name in placeholders(value))
    if isinstance(template, (list, tuple)):
        return tuple(name for value in template for name in placeholders(value))
    return ()


def fill(template: object, values: dict[str, object]) -> object:
    """Return the template with its placeholders replaced; a text that is one placeholder keeps the value's type."""
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


def merged(under: object, over: object) -> object:
    """Return ``over`` laid on ``under``: mappings merge key by key, a ``None`` removes, all else replaces."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    result = {**under, **{key: merged(under.get(key), value) for key, value in over.items()}}
    return {key: value for key, value in result.items() if not (value is None and key in over)}
