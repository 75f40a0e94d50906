"""Declared templates turned around: what was filled in for their placeholders?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from crm_assets.declarations.models.base import PLACEHOLDER, placeholders


class MismatchError(Exception):
    """A value that the template cannot have produced."""


def unfill(template: Any, value: Any, partial: bool = False) -> dict[str, Any]:
    """Return the values of a template's placeholders that produced ``value``.

    Args:
        template: Text, number or nested lists and mappings of them; the inverse of ``declarations.models.base.fill``.
        value: What arrived. Mappings may hold more than the template.
        partial: Whether keys of the template may be missing in the value.

    Raises:
        MismatchError: The template cannot have produced it.
    """
    if isinstance(template, dict):
        return _unfill_mapping(template, value, partial)
    if isinstance(template, (list, tuple)):
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or len(value) != len(template):
            raise MismatchError
        return _merged(unfill(part, each, partial) for part, each in zip(template, value, strict=True))
    if isinstance(template, str) and (whole := PLACEHOLDER.fullmatch(template)):
        return {whole[1]: value}
    if isinstance(template, str) and (match := re.fullmatch(_pattern(template), str(value), re.DOTALL)):
        return dict(zip(placeholders(template), match.groups(), strict=True))
    # In a query a truth value is a word, and clients disagree on its capital letter.
    same = str(value).lower() == str(template).lower() if isinstance(template, bool) else str(value) == str(template)
    if not same:
        raise MismatchError
    return {}


def _unfill_mapping(template: dict[str, Any], value: Any, partial: bool) -> dict[str, Any]:
    template = {key: each for key, each in template.items() if each is not None}
    if not isinstance(value, Mapping) or (not partial and set(template) - set(value)):
        raise MismatchError
    return _merged(unfill(each, value[key], partial) for key, each in template.items() if key in value)


def _merged(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


def _pattern(template: str) -> str:
    parts = PLACEHOLDER.split(template)
    return "".join(re.escape(part) if i % 2 == 0 else "(.+?)" for i, part in enumerate(parts))
