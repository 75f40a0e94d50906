"""What an import made, tried with the loader: what that refuses is left out, and named."""

from __future__ import annotations

import yaml

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError, problems_of
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.importers.own_names import apart_from_secrets
from crm_assets.declarations.inheritance import merge_documents
from crm_assets.declarations.loader import parse_system
from crm_assets.declarations.spellings import canonical_system, completed_system
from crm_assets.declarations.spellings.names import snake_case


def accepted(document: Document, notes: Notes) -> Document:
    """Return the part of a declaration that the loader accepts, in the canonical form.

    Args:
        document: The declaration, in any of its spellings.
        notes: Takes the resources that are left out, and why.

    Raises:
        SpecError: It is not a resource that is refused, or nothing is left.
    """
    document = apart_from_secrets(document, notes)
    while refused := _refused(document):
        document = _without(document, refused, notes)
    return _canonical_document(document)


def as_yaml(document: Document, notes: Notes) -> str:
    """Return the text of a system file, with the notes as comments at its top."""
    head = "".join(f"# {note}\n" for note in notes.all())
    body = {key: value for key, value in document.items() if key != "name" and value not in ("", None)}
    return head + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120)


def _refused(document: Document) -> dict[str, str]:
    """Return the resources that the loader refuses, and why."""
    try:
        parse_system(document)
    except SpecError as error:
        refused = {name: problem.problem for problem in problems_of(error) for name in _refused_resources(problem)}
        if not refused:
            raise
        return refused
    return {}


def _refused_resources(error: SpecError) -> list[str]:
    return [part.removeprefix("resource ") for part in error.place if part.startswith("resource ")][:1]


def _without(document: Document, refused: dict[str, str], notes: Notes) -> Document:
    """Leave out resources, and those that are read for their rows."""
    kept = []
    for resource in document["resources"]:
        name = resource if isinstance(resource, str) else str(resource.get("name"))
        table = "" if isinstance(resource, str) else snake_case(str(resource.get("table_name") or name))
        if why := refused.get(name) or refused.get(table):
            notes.add("left out", why, name)
        else:
            kept.append(resource)
    if len(kept) in (0, len(document["resources"])):
        raise SpecError(f"none of it can be declared: {next(iter(refused.values()))}")
    return {**document, "resources": kept}


def _canonical_document(document: Document) -> Document:
    """Return a declaration in the canonical form, its defaults laid under each resource."""
    whole = completed_system(merge_documents([canonical_system(document)]))
    return {**whole, "resources": [{"name": one["name"], **one} for one in whole["resources"]]}
