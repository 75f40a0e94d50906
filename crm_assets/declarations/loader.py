"""Systems and vendor profiles by name: found, extended, bound and checked."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from crm_assets.declarations.errors import SpecError, unknown
from crm_assets.declarations.inheritance import merge_documents
from crm_assets.declarations.models.base import Spec
from crm_assets.declarations.models.system import System
from crm_assets.declarations.parents import bound, singular
from crm_assets.declarations.spellings import canonical_system
from crm_assets.declarations.validation_messages import explain
from crm_assets.declarations.yaml_reader import read_yaml

__all__ = ["SYSTEMS", "available_systems", "load_system", "parse_system", "read_yaml", "singular", "validated"]

SYSTEMS = Path(__file__).parent.parent / "systems"
_Model = TypeVar("_Model", bound=Spec)


@cache
def available_systems(extra: Path | None = None) -> dict[str, Path]:
    """Return the files of all systems and vendor profiles by name: the package's and those in an own folder."""
    folders = [SYSTEMS, SYSTEMS / "vendors", *([extra] if extra else [])]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


@cache
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
        raise SpecError(unknown("system", name, files), "key system")
    try:
        return parse_system(*_chain(name, extra))
    except SpecError as error:
        raise error.inside(files[name].name, f"system {name}") from error.__cause__


def parse_system(*chain: dict[str, Any]) -> System:
    """Return the checked system of a YAML document, or of one and the documents that extend it, the outermost last.

    Raises:
        SpecError: Something in it is wrong; the place names resource and key.
    """
    document = merge_documents(canonical_system(one) for one in chain)
    params = document.get("params")
    names = [resource["name"] for resource in document["resources"]]
    known = params if isinstance(params, dict) else {}
    document["resources"] = [bound(resource, names, known) for resource in document["resources"]]
    return validated(System, document)


def validated(model: type[_Model], document: Any) -> _Model:
    """Return ``document`` as ``model``.

    Raises:
        SpecError: It is not one; the first finding, in words.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise explain(error, model, document) from None


def _chain(name: str, extra: Path | None, above: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return the documents of a system from the one that extends nothing up to the named one."""
    files = available_systems(extra)
    document = {"name": name, **read_yaml(files[name]), "path": str(files[name])}
    if document["name"] != name:
        raise SpecError(f"the file is {name}.yaml, so the name must be {name}", "key name")
    base = document.pop("extends", None)
    if base is None:
        return [document]
    if base not in files:
        raise SpecError(unknown("system", str(base), files), "key extends")
    if base in (name, *above):
        raise SpecError(f"{name} extends itself: {' → '.join([*above, name, base])}", "key extends")
    below = _chain(base, extra, (*above, name))
    return [*below, {"origin": None, "base_system": below[0]["name"], **document}]
