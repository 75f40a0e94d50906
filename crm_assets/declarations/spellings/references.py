"""References in dlt's words: ``{resources.posts.id}``, parameters of type ``resolve``, ``include_from_parent``, and
parameters in the path. They become the parent of a list, its placeholders and its columns.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError, unknown
from crm_assets.declarations.parents import singular
from crm_assets.declarations.spellings.hints import OPEN, with_column
from crm_assets.declarations.spellings.names import snake_case

_RESOURCE_REFERENCE = re.compile(r"\{resources\.([^.{}]+)\.([^{}]+)\}")
_PARAMS_KEY = "endpoint.params"
_PATH_PLACEHOLDER = re.compile(r"(?<!\{)\{([^{}]+)\}(?!\})")


def bound_references(resources: list[Document], params: Collection[str]) -> list[Document]:
    """Return the resources with every reference to another as its parent.

    Args:
        resources: The documents of all resources.
        params: Placeholders that connections fill.

    Raises:
        SpecError: One refers to several parents, or to one that is not there.
    """
    found = {resource["name"]: _Child(resource) for resource in resources}
    for child in found.values():
        child.refer(found, params)
    for child in found.values():
        child.include(found)
    documents = (found[resource["name"]].document for resource in resources)
    return [_without_open_mark(document) for document in documents]


def _without_open_mark(document: Document) -> Document:
    """Return a resource without its mark; where it declares no column, every field is one, as in dlt."""
    fields = {"undeclared_fields": "columns"} if document[OPEN] else {}
    return {**fields, **{key: value for key, value in document.items() if key != OPEN}}


class _Child:
    """One resource while its references are turned."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.fields: dict[str, str] = {}
        """Fields of the parent, by the placeholder that stands for them."""
        self.parent = ""

    def refer(self, others: dict[str, _Child], params: Collection[str]) -> None:
        """Turn the references in requests; each names a column of the parent, which thereby has one."""
        endpoint = self.document.get("endpoint")
        if not isinstance(endpoint, dict):
            return
        endpoint = self._without_resolves(_with_static_path(endpoint, params))
        self.document = {**self.document, "endpoint": self._turned(endpoint)}
        if not self.parent:
            return
        if self.parent not in others:
            raise SpecError(unknown("resource", self.parent, others), *self._place("parent"))
        columns = {name: others[self.parent].column(field) for name, field in self.fields.items()}
        (placeholder, field), *further = columns.items()
        parent = {"resource": self.parent, "field": field, "placeholder": placeholder}
        self.document["parent"] = {**parent, **({"further_fields": dict(further)} if further else {})}

    def include(self, others: dict[str, _Child]) -> None:
        """Give the rows the columns that ``include_from_parent`` names."""
        wanted = self.document.get("include_from_parent")
        self.document = {key: value for key, value in self.document.items() if key != "include_from_parent"}
        if not wanted:
            return
        if not self.parent:
            raise SpecError("no request of the list refers to a parent", *self._place("include_from_parent"))
        columns = dict(self.document.get("columns") or {})
        parent = dict(self.document["parent"])
        for field in wanted:
            above = others[self.parent]
            name = above.column(field)
            placeholder = self._placeholder(field)
            if placeholder != parent["placeholder"]:
                parent["further_fields"] = {**parent.get("further_fields", {}), placeholder: name}
            kind = above.document["columns"][name]["type"]
            columns[f"_{snake_case(f'{self.parent}_{field}')}"] = {"type": kind, "source": f"{{{placeholder}}}"}
        self.document |= {"columns": columns, "parent": parent}

    def column(self, field: str) -> str:
        """Return the column that holds a field of the records; one is added where the resource declares none itself."""
        columns = self.document.get("columns") or {}
        for name, column in columns.items():
            if isinstance(column, dict) and field in (name, column.get("source")):
                return str(name)
        if not self.document[OPEN]:
            raise SpecError(unknown(f"column of {self.document['name']}", field, columns), *self._place("columns"))
        self.document, added = with_column(self.document, field, type="text")
        return added

    def _placeholder(self, field: str) -> str:
        return next((name for name, own in self.fields.items() if own == field), None) or self._refer_to(field)

    def _refer_to(self, field: str) -> str:
        name = f"{singular(self.parent)}_{snake_case(field).lstrip('_')}"
        self.fields[name] = field
        return name

    def _turned(self, value: Any) -> Any:
        if isinstance(value, str):
            return _RESOURCE_REFERENCE.sub(lambda found: f"{{{self._to(found[1], found[2])}}}", value)
        if isinstance(value, dict):
            return {self._turned(key): self._turned(item) for key, item in value.items()}
        return [self._turned(item) for item in value] if isinstance(value, list) else value

    def _to(self, resource: str, field: str) -> str:
        if self.parent not in ("", resource):
            raise SpecError(f"refers to two parents, {self.parent} and {resource}", *self._place("endpoint"))
        self.parent = resource
        return self._placeholder(field)

    def _without_resolves(self, endpoint: Document) -> Document:
        params = endpoint.get("params")
        if not isinstance(params, dict):
            return endpoint
        resolves = {
            name: each for name, each in params.items() if isinstance(each, dict) and each.get("type") == "resolve"
        }
        path = endpoint.get("path", "")
        for name, each in resolves.items():
            if f"{{{name}}}" not in path:
                raise SpecError(
                    f"{name} is resolved, but the path does not contain {{{name}}}", *self._place("endpoint.params")
                )
            path = path.replace(f"{{{name}}}", f"{{{self._to(each.get('resource', ''), each.get('field', ''))}}}")
        rest = {name: each for name, each in params.items() if name not in resolves}
        for name, each in rest.items():
            if isinstance(each, dict):
                raise SpecError(
                    "a parameter is a value or of type resolve or incremental", *self._place(f"endpoint.params.{name}")
                )
        return {**endpoint, "path": path, **({"params": rest} if params else {})}

    def _place(self, key: str) -> tuple[str, str]:
        return f"resource {self.document['name']}", f"key {key}"


def _with_static_path(endpoint: Document, known: Collection[str]) -> Document:
    """Put parameters that the path names into it; they are not sent in the query as well."""
    path, params = endpoint.get("path"), endpoint.get("params")
    if not isinstance(path, str) or not isinstance(params, dict):
        return endpoint
    found = (name for name in _PATH_PLACEHOLDER.findall(path) if name not in known)
    names = [name for name in found if isinstance(params.get(name), (str, int, float))]
    for name in names:
        path = path.replace(f"{{{name}}}", str(params[name]))
    return {**endpoint, "path": path, "params": {key: value for key, value in params.items() if key not in names}}
