"""References and parameters of a manifest, resolved: what is left says itself what it is."""

from __future__ import annotations

import re
from typing import Any

from crm_assets.declarations.errors import SpecError

_COMPONENTS = frozenset({"retriever", "url_base", "http_method", "authenticator", "extractor", "field_path"})
"""Keys of components that need not say their type."""
_DEEPEST = 60
"""Levels of nesting; a manifest that goes deeper refers to itself."""


def resolved(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest without ``$ref`` and ``$parameters``.

    Raises:
        SpecError: A reference leads nowhere or to itself.
    """
    whole = _referred(manifest, manifest, 0)
    result: dict[str, Any] = _with_parameters(whole, {})
    return result


def _referred(value: Any, manifest: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise SpecError("a reference of the manifest leads to itself")
    if isinstance(value, list):
        return [_referred(item, manifest, depth + 1) for item in value]
    if isinstance(value, str) and value.startswith("#/"):
        return _referred(_at(value, manifest), manifest, depth + 1)
    if not isinstance(value, dict):
        return value
    own = {key: _referred(item, manifest, depth + 1) for key, item in value.items() if key != "$ref"}
    if not isinstance(value.get("$ref"), (str, dict)):
        return own
    target = value["$ref"] if isinstance(value["$ref"], str) else value["$ref"].get("$ref", "")
    below = _referred(_at(target, manifest), manifest, depth + 1)
    if not isinstance(below, dict):
        return below
    parameters = {**below.get("$parameters", {}), **own.get("$parameters", {})}
    return {**below, **own, **({"$parameters": parameters} if parameters else {})}


def _at(reference: str, manifest: Any) -> Any:
    here = manifest
    for segment in re.split(r"/", reference.removeprefix("#/")):
        position = re.fullmatch(r"(.*)\[(\d+)\]", segment)
        name = position[1] if position else segment
        if not isinstance(here, dict) or name not in here:
            raise SpecError(f"the reference {reference} leads nowhere")
        here = here[name][int(position[2])] if position else here[name]
    return here


def _with_parameters(value: Any, above: dict[str, Any]) -> Any:
    """Hand parameters down: a component takes those it has no key for, and its own templates see all of them."""
    if isinstance(value, list):
        return [_with_parameters(item, above) for item in value]
    if isinstance(value, str):
        return _filled(value, above)
    if not isinstance(value, dict):
        return value
    own = value.get("$parameters")
    parameters = {**above, **own} if isinstance(own, dict) else above
    rest = {key: item for key, item in value.items() if key not in ("$parameters", "parameters")}
    taken = {key: item for key, item in parameters.items() if key not in rest and _is_plain(item)}
    taken = taken if rest.get("type") or rest.keys() & _COMPONENTS else {}
    return {key: _with_parameters(item, parameters) for key, item in {**taken, **rest}.items()}


_OR = re.compile(
    r"""\{\{\s*parameters\.get\(\s*['"](\w+)['"]\s*\)\s+or\s+parameters\.get\(\s*['"](\w+)['"]\s*\)\s*\}\}"""
)


def _is_plain(value: Any) -> bool:
    return not isinstance(value, dict) and not (
        isinstance(value, list) and any(isinstance(item, dict) for item in value)
    )


def _filled(text: str, parameters: dict[str, Any]) -> str:
    def given(found: re.Match[str]) -> str:
        name = found[1] or found[2] or found[3]
        value = parameters.get(name)
        return found[0] if value is None else str(value)

    def chosen(found: re.Match[str]) -> str:
        name = found[1] if parameters.get(found[1]) else found[2]
        return f"{{{{ parameters.{name} }}}}"

    text = _OR.sub(chosen, text)
    return re.sub(
        r"""\{\{\s*parameters(?:\.(\w+)|\[\s*['"](\w+)['"]\s*\]|\.get\(\s*['"](\w+)['"]\s*(?:,[^)]*)?\))\s*\}\}""",
        given,
        text,
    )
