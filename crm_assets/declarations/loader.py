"""Systems and vendor profiles by name: found, extended, bound and checked."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from crm_assets.declarations.errors import Problems, SpecError, UnknownKeyError, together, unknown
from crm_assets.declarations.inheritance import merge_documents
from crm_assets.declarations.models.base import Spec
from crm_assets.declarations.models.system import System
from crm_assets.declarations.parents import bound, parents_first, singular
from crm_assets.declarations.spellings import canonical_system, completed_system
from crm_assets.declarations.validate import check_system
from crm_assets.declarations.validation_messages import explain
from crm_assets.declarations.yaml_lines import with_lines
from crm_assets.declarations.yaml_reader import read_yaml

__all__ = ["SYSTEMS", "available_systems", "load_system", "parse_system", "read_yaml", "singular", "validated"]

SYSTEMS = Path(__file__).parent.parent / "systems"
_Model = TypeVar("_Model", bound=Spec)


@cache
def available_systems(extra: Path | None = None) -> dict[str, Path]:
    """Return the files of all systems and vendor profiles by name: the package's and those in an own folder.

    Raises:
        SpecError: A file of the own folder bears the name of a system of the package.
    """
    files = {path.stem: path for folder in (SYSTEMS, SYSTEMS / "vendors") for path in sorted(folder.glob("*.yaml"))}
    for path in sorted(extra.glob("*.yaml")) if extra else ():
        if path.stem in files:
            raise SpecError(f"{path.stem} is a system of the package; give your file another name", path.name)
        files[path.stem] = path
    return files


@cache
def load_system(name: str, extra: Path | None = None) -> System:
    """Load and check a system or vendor profile.

    Args:
        name: Name of the system; its file is ``<name>.yaml``.
        extra: Folder of the user's own declarations, beside the package's.

    Raises:
        SpecError: The system is unknown, or its declaration is wrong.
    """
    files = available_systems(extra)
    if name not in files:
        raise SpecError(unknown("system", name, files), "key system")
    chain: list[dict[str, Any]] = []
    try:
        chain = _chain(name, extra)
        return parse_system(*chain)
    except SpecError as error:
        paths = [Path(document["path"]) for document in reversed(chain)] or [files[name]]
        raise with_lines(error, paths, f"system {name}") from error.__cause__


def parse_system(*chain: dict[str, Any]) -> System:
    """Return the checked system of a YAML document, or of one and the documents that extend it, the outermost last.

    Raises:
        SpecError: Something in it is wrong; the place names resource and key.
    """
    document = completed_system(merge_documents(canonical_system(one) for one in chain))
    params = document.get("params")
    names = [resource["name"] for resource in document["resources"]]
    known = params if isinstance(params, dict) else {}
    problems, resources = Problems(), []
    for resource in document["resources"]:
        with problems.noted():
            resources.append(bound(resource, names, known))
    system = _collected({**document, "resources": parents_first(resources)}, problems)
    if system is None or problems.errors:
        raise together(problems.errors)
    return system


def _collected(document: dict[str, Any], problems: Problems) -> System | None:
    """Return the system, or note what is wrong with it.

    Rules between keys and between resources are checked when each key is sound. So that they are checked in one go,
    unknown keys and unsound resources are left out the second time, and what would then be said because of that.
    """
    with problems.noted():
        return _sound_system(document)
    places = [error.place for error in problems.errors if not isinstance(error, UnknownKeyError)]
    broken = {part.removeprefix("resource ") for place in places for part in place if part.startswith("resource ")}
    sound = [resource for resource in document["resources"] if resource["name"] not in broken]
    second = Problems()
    with second.noted():
        _sound_system({**document, "resources": sound}, extra="ignore")
    consequences = ("is missing", *(repr(name) for name in broken), *([] if sound else ["at least one resource"]))
    problems.errors += [one for one in second.errors if not any(text in one.problem for text in consequences)]
    return None


def _sound_system(document: dict[str, Any], extra: Literal["forbid", "ignore"] = "forbid") -> System:
    system = validated(System, document, extra)
    check_system(system)
    return system


def validated(model: type[_Model], document: Any, extra: Literal["forbid", "ignore"] = "forbid") -> _Model:
    """Return ``document`` as ``model``.

    Args:
        model: The model.
        document: Plain data.
        extra: What becomes of unknown keys.

    Raises:
        SpecError: It is not one; all findings, in words.
    """
    try:
        return model.model_validate(document, extra=extra)
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
