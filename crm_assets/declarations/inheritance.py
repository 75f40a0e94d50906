"""Extending: a vendor profile laid over the system it extends, resource by resource and column by column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import reduce

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError, listed, unknown
from crm_assets.declarations.models.base import deep_merge


def merge_documents(chain: Iterable[Document]) -> Document:
    """Return one document from a system and the profiles that extend it, the outermost profile last.

    ``resource_defaults`` lie under every resource; a resource of a known name is laid over the inherited one; a
    column or key set to null is taken away; ``remove: true`` takes the whole resource away. The documents given are
    left as they are.

    Raises:
        SpecError: There is no list of named resources, or something is removed that does not exist.
    """
    documents = list(chain)
    defaults: Document = reduce(deep_merge, [_defaults(document) for document in documents], {})
    layers: dict[str, list[Document]] = {}
    for document in documents:
        for resource in _expanded_resources(document, inherited=bool(layers)):
            below = layers.setdefault(resource["name"], [])
            _refuse_empty_removals(resource, [defaults, *below], [name for name in layers if layers[name]])
            below.append(resource)
    whole: Document = reduce(deep_merge, documents, {})
    whole.pop("resource_defaults", None)
    resources = [reduce(deep_merge, below, defaults) for below in layers.values()]
    return {**whole, "resources": [_without_remove(resource) for resource in resources if not resource.get("remove")]}


def _defaults(document: Document) -> Document:
    defaults = document.get("resource_defaults", {})
    if not isinstance(defaults, dict):
        raise SpecError("expected a mapping", "key resource_defaults")
    return _expanded(defaults)


def _expanded_resources(document: Document, *, inherited: bool) -> list[Document]:
    resources = document.get("resources", [] if inherited else None)
    if not isinstance(resources, list) or not all(map(_is_named_resource, resources)):
        raise SpecError("expected a list of resources, each a mapping with a name", "key resources")
    names = Counter(resource["name"] for resource in resources)
    doubles = [name for name, times in names.items() if times > 1]
    if doubles:
        raise SpecError(f"{listed(doubles)} declared more than once", "key resources")
    return [_expanded(resource) for resource in resources]


def _is_named_resource(resource: object) -> bool:
    return isinstance(resource, dict) and isinstance(resource.get("name"), str)


def _expanded(resource: Document) -> Document:
    """Write ``name: text`` as ``name: {type: text}``, so that columns merge key by key."""
    columns = resource.get("columns")
    if not isinstance(columns, dict):
        return resource
    written = {name: {"type": column} if isinstance(column, str) else column for name, column in columns.items()}
    return {**resource, "columns": written}


def _refuse_empty_removals(resource: Document, below: list[Document], names: list[str]) -> None:
    place = f"resource {resource['name']}"
    if not isinstance(resource.get("remove", False), bool):
        raise SpecError("expected true or false", place, "key remove")
    if resource.get("remove") and resource["name"] not in names:
        raise SpecError(f"nothing to remove: {unknown('resource', resource['name'], names)}", place, "key remove")
    columns = {name for layer in below for name in _columns_of(layer)}
    for name, column in _columns_of(resource).items():
        if column is None and name not in columns:
            raise SpecError(f"nothing to remove: {unknown('column', name, columns)}", place, "key columns")


def _columns_of(layer: Document) -> Document:
    columns = layer.get("columns")
    return columns if isinstance(columns, dict) else {}


def _without_remove(resource: Document) -> Document:
    return {key: value for key, value in resource.items() if key != "remove"}
