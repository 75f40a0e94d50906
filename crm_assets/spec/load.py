"""Read systems and vendor profiles from YAML."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from crm_assets.spec.base import merged, placeholders
from crm_assets.spec.errors import SpecError, listed, nearest
from crm_assets.spec.explain import explain
from crm_assets.spec.system import System

SYSTEMS = Path(__file__).parent.parent / "systems"


@lru_cache(maxsize=None)
def available_systems(extra: Path | None = None) -> dict[str, Path]:
    """Return the files of all systems and vendor profiles by name: the package's and those in an own folder."""
    folders = [SYSTEMS, SYSTEMS / "vendors", *([extra] if extra else [])]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


@lru_cache(maxsize=None)
def load_system(name: str, extra: Path | None = None) -> System:
    """Load and check a system or vendor profile.

    Args:
        name: Name of the system; its file is ``<name>.yaml``.
        extra: Folder of the user's own declarations, beside the package's.

    Raises:
        SpecError: There is no such system, or its declaration is wrong.
    """
    files = available_systems(extra)
    if name not in files:
        raise SpecError(f"unknown system {name!r}{nearest(name, files)} Known: {listed(files)}")
    path = files[name]
    try:
        return parse_system({**_resolved(name, extra), "path": str(path)})
    except SpecError as error:
        raise error.inside(path.name, f"system {name}") from error.__cause__


def parse_system(document: dict[str, Any]) -> System:
    """Return the checked system of a YAML document whose ``extends`` is already resolved.

    Raises:
        SpecError: Something in it is wrong; the place names resource and key.
    """
    return validated(System, _complete(document))


def validated(model: type[Any], document: Any) -> Any:
    """Return ``document`` as ``model``.

    Raises:
        SpecError: It is not one; the first finding, in words.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        checked: type[BaseModel] = model
        raise explain(error, checked, document) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping a YAML file holds.

    Raises:
        SpecError: The file cannot be read, is no YAML, or holds no mapping.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise SpecError(f"cannot be read ({error.strerror})", str(path)) from error
    except yaml.YAMLError as error:
        raise SpecError("is no valid YAML: " + " ".join(str(error).split()), str(path)) from error
    if not isinstance(document, dict):
        raise SpecError("expected a mapping at the top of the file", str(path))
    return document


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML whose mappings refuse a key given twice: the second would silently win."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        doubles = sorted({str(key) for key in keys if key != "<<" and keys.count(key) > 1})
        if doubles:
            raise yaml.constructor.ConstructorError(None, None, f"key {doubles[0]!r} is given twice", node.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _resolved(name: str, extra: Path | None, below: tuple[str, ...] = ()) -> dict[str, Any]:
    files = available_systems(extra)
    document = read_yaml(files[name])
    document.setdefault("name", name)
    base = document.pop("extends", None)
    if base is None:
        return document
    if base not in files:
        raise SpecError(f"unknown system {base!r}{nearest(base, files)}", "key extends")
    if base in below:
        raise SpecError(f"{name} extends itself through {base}", "key extends")
    return _extended(_resolved(base, extra, (*below, name)), document, base)


def _extended(base: dict[str, Any], over: dict[str, Any], base_name: str) -> dict[str, Any]:
    own = {resource["name"]: resource for resource in over.pop("resources", [])}
    inherited = [merged(resource, own.pop(resource["name"], {})) for resource in base.pop("resources")]
    result = merged({**base, "seed": None}, over)
    result["neutral"] = base.get("neutral") or base_name
    result["resources"] = [r for r in [*inherited, *own.values()] if not r.pop("remove", False)]
    return dict(result)


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    document = dict(document)
    defaults = document.pop("resource_defaults", {})
    resources = document.get("resources")
    if not isinstance(resources, list) or not all(isinstance(r, dict) and "name" in r for r in resources):
        raise SpecError("expected a list of resources, each with a name", "key resources")
    names = [resource["name"] for resource in resources]
    document["resources"] = [_bound(merged(defaults, resource), names) for resource in resources]
    return document


def _bound(resource: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Bind a placeholder to its parent: by ``parent:``, or by the rule "singular of the resource + ``_id``"."""
    by_rule = {f"{singular(name)}_id": name for name in names}
    parent = resource.get("parent")
    if isinstance(parent, str):
        return {**resource, "parent": {"resource": parent, "bind": f"{singular(parent)}_id"}}
    endpoint = resource.get("endpoint")
    if parent is None and isinstance(endpoint, dict):
        for name in placeholders([endpoint.get("path"), endpoint.get("params"), endpoint.get("json")]):
            if name in by_rule:
                return {**resource, "parent": {"resource": by_rule[name], "bind": name}}
    return resource


def singular(name: str) -> str:
    """Return the singular of a resource's name, as far as English rules go."""
    for ending, replacement in ((r"ies$", "y"), (r"(ss|sh|ch|x)es$", r"\1"), (r"(?<!s)s$", "")):
        if re.search(ending, name):
            return re.sub(ending, replacement, name)
    return name
