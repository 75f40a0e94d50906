"""``crm-assets import``: what a source is, and the declaration that is made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.importers import import_config
from crm_assets.declarations.importers.accepted import accepted, as_yaml
from crm_assets.declarations.importers.airbyte.manifest import declaration
from crm_assets.declarations.importers.dlt_source.captured import api_name, captured
from crm_assets.declarations.importers.dlt_source.configuration import declarable
from crm_assets.declarations.importers.losses import Note, Notes
from crm_assets.declarations.importers.openapi.declaration import from_openapi
from crm_assets.declarations.spellings.names import snake_case
from crm_assets.declarations.yaml_reader import read_foreign_yaml


@dataclass(frozen=True)
class Imported:
    """A declaration made from a source."""

    text: str
    """The text of a system file, with the notes as comments at its top; the loader accepts it."""
    notes: tuple[Note, ...]
    complete: bool
    """Whether it says all that the source does."""
    what: Literal["notes", "repairs"] = "notes"
    """What the notes are: those of a seed document say how it was repaired."""
    further: tuple[tuple[str, Imported], ...] = ()
    """Declarations of the source's further APIs, each with a name for its system."""


def import_source(source: str, name: str | None = None) -> Imported:
    """Return the declaration of a source.

    Args:
        source: Path of a seed document, of a Python file, of a YAML or JSON file that holds a configuration of dlt's
            REST API source, an Airbyte manifest or an OpenAPI document; or an object: ``module:object``,
            ``file.py:object``.
        name: Name of the system; by default the file's.

    Raises:
        SpecError: It is none of them, or none of it can be declared.
    """
    path = Path(source)
    inside = re.fullmatch(r"(.+\.py|[A-Za-z_][\w.]*):[A-Za-z_]\w*", source)
    if not path.is_file() and (not inside or (inside[1].endswith(".py") and not Path(inside[1]).is_file())):
        raise SpecError("file not found, and it is not module:object or file.py:object", source)
    name = _system_name(name or (path.stem if path.is_file() else source.rpartition(":")[2]))
    if not path.is_file() or path.suffix == ".py":
        return _from_python(source, name)
    notes = Notes()
    if _is_seed(path):
        return _from_seed(path, name, notes)
    return _made(name, _document(path, notes), notes)


def _made(name: str, document: dict[str, Any], notes: Notes) -> Imported:
    document = accepted({"name": name, **document}, notes)
    return Imported(as_yaml(document, notes), notes.all(), notes.complete)


def _from_python(source: str, name: str) -> Imported:
    """Return the declaration of the API that Python configures, and those of its further ones."""
    notes = Notes()
    first, *others = captured(source, notes)
    made = _made(name, declarable(first, notes), notes)
    further: list[tuple[str, Imported]] = []
    lost: list[Note] = []
    for other in others:
        own = _system_name(f"{name}_{api_name(other)}")
        try:
            further.append((own, _made(own, declarable(other, inner := Notes()), inner)))
        except SpecError as error:
            lost.append(Note("lost", f"another API, {own}: {error}"))
    return replace(made, further=tuple(further), notes=(*made.notes, *lost), complete=made.complete and not lost)


def _system_name(text: str) -> str:
    name = snake_case(text).strip("_")
    return name if re.fullmatch(r"[a-z][a-z0-9_]*", name) else f"crm_{name}".rstrip("_")


def _document(path: Path, notes: Notes) -> dict[str, Any]:
    document = read_foreign_yaml(path)
    if document.get("type") == "DeclarativeSource" or "streams" in document:
        return declaration(document, notes)
    if "openapi" in document or "swagger" in document:
        return from_openapi(document, notes)
    if "client" in document and "resources" in document:
        return declarable(document, notes)
    raise SpecError(
        "is neither a configuration of dlt's REST API source (client, resources) nor an Airbyte manifest (streams) nor "
        "an OpenAPI document (openapi, paths)",
        path.name,
    )


def _is_seed(path: Path) -> bool:
    """Whether a file is a document with a configuration in its text, or Python that holds nothing but literals."""
    return path.suffix not in (".py", ".yaml", ".yml", ".json")


def _from_seed(path: Path, name: str, notes: Notes) -> Imported:
    seed = import_config(path.read_text(encoding="utf-8"), name)
    for repair in seed.repairs:
        text = f"{repair.key}: {repair.what} ({repair.why})"
        notes.add("lost" if repair.kind == "open" else "assumed", text, *repair.resources)
    accepted(seed.document, Notes())
    return Imported(seed.yaml, notes.all(), notes.complete, "repairs")
