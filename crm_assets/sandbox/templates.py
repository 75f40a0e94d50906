"""Declared templates turned around: what was filled in for their placeholders?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from crm_assets.declarations.models.base import PLACEHOLDER


def unfill(template: Any, value: Any, partial: bool = False) -> dict[str, Any]:
    """Return the values of a template's placeholders that produced ``value``.

    Args:
        template: Text, number or nested lists and mappings of them; the inverse of ``declarations.models.base.fill``.
        value: What arrived. Mappings may hold more than the template.
        partial: Whether keys of the template may be missing in the value.

    Raises:
        ValueError: The template cannot have produced it.
    """
    return dict(_filled(template, value, partial))


def _filled(template: Any, value: Any, partial: bool) -> Iterator[tuple[str, Any]]:
    """Yield the placeholders of a template, each with its value."""
    if isinstance(template, dict):
        template = {key: each for key, each in template.items() if each is not None}
        if not isinstance(value, Mapping) or not (partial or template.keys() <= value.keys()):
            raise ValueError(f"{value!r} is not made of {template!r}")
        for key in filter(value.__contains__, template):
            yield from _filled(template[key], value[key], partial)
    elif isinstance(template, (list, tuple)):
        for part, each in zip(template, value if isinstance(value, list) else [value], strict=True):
            yield from _filled(part, each, partial)
    else:
        yield from _filled_text(template, value)


def _filled_text(template: Any, value: Any) -> Iterator[tuple[str, Any]]:
    # In a query a truth value is a word, and clients disagree on its capital letter.
    flags = re.DOTALL if isinstance(template, str) else re.IGNORECASE
    texts, names = PLACEHOLDER.split(str(template))[::2], PLACEHOLDER.findall(str(template))
    if texts == ["", ""]:
        yield names[0], value
    elif match := re.fullmatch("(.+?)".join(map(re.escape, texts)), str(value), flags):
        yield from zip(names, match.groups(), strict=True)
    else:
        raise ValueError(f"{value!r} is not made of {template!r}")
