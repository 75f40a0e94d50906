"""Binding: which parent fills a placeholder, by name or by the rule "singular of the resource + ``_id``"."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.models.base import placeholders


def singular(name: str) -> str:
    """Return the singular of a resource's name, as far as English rules go."""
    for ending, replacement in ((r"ies$", "y"), (r"(ss|sh|ch|x)es$", r"\1"), (r"(?<![su])s$", "")):
        if re.search(ending, name):
            return re.sub(ending, replacement, name)
    return name


def bound(resource: dict[str, Any], names: Iterable[str], params: Collection[str] = ()) -> dict[str, Any]:
    """Return a resource's document with its ``parent`` written out.

    Args:
        resource: The document; ``parent`` may be absent, the name of a resource, or a mapping that may lack ``bind``.
        names: Names of the system's resources.
        params: Placeholders that connections fill; they bind to no resource.

    Raises:
        SpecError: The placeholders speak of more than one parent.
    """
    parent = resource.get("parent")
    if isinstance(parent, str):
        parent = {"resource": parent}
    if parent is None:
        parent = _by_rule(resource, {f"{singular(name)}_id": name for name in names}, params)
    elif isinstance(parent, dict) and isinstance(parent.get("resource"), str):
        parent = {"placeholder": f"{singular(parent['resource'])}_id", **parent}
    return resource if parent is None else {**resource, "parent": parent}


def parents_first(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the resources in their order, but each after its parent; a loop of parents stays as it is."""
    by_name = {resource["name"]: resource for resource in resources}
    ordered: dict[str, dict[str, Any]] = {}

    def add(resource: dict[str, Any], below: tuple[str, ...]) -> None:
        parent = resource.get("parent")
        above = by_name.get(parent.get("resource")) if isinstance(parent, dict) else None
        if above is not None and above["name"] not in (resource["name"], *below):
            add(above, (resource["name"], *below))
        ordered.setdefault(resource["name"], resource)

    for resource in resources:
        add(resource, ())
    return list(ordered.values())


def _by_rule(resource: dict[str, Any], rule: dict[str, str], params: Collection[str]) -> dict[str, str] | None:
    endpoint = resource.get("endpoint")
    if not isinstance(endpoint, dict):
        return None
    used = placeholders([endpoint.get("path"), endpoint.get("params"), endpoint.get("json")])
    found = {name: rule[name] for name in used if name in rule and name not in params}
    if len(found) > 1:
        raise SpecError(
            f"two parents: {' and '.join(f'{{{name}}} of {parent}' for name, parent in found.items())}; "
            f"a list is read for the rows of one resource, so let parent: name it and params: fill the other",
            f"resource {resource.get('name')}",
            "key parent",
        )
    return next(({"resource": parent, "placeholder": name} for name, parent in found.items()), None)
