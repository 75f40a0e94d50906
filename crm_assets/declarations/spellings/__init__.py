"""The one place that knows other spellings of the dialect: what they become is the canonical form, which models know.

There are two kinds: the words the dialect had before, and those of dlt's REST API configuration, which keep the meaning
they have there. What can be said of one document alone is turned by :func:`canonical_system`; what depends on the whole
system, such as the parent of a list, by :func:`completed_system` after profiles were laid over each other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import Problems, SpecError
from crm_assets.declarations.spellings.former import renamed_connection, renamed_system
from crm_assets.declarations.spellings.graphql import canonical_graphql
from crm_assets.declarations.spellings.hints import canonical_hints
from crm_assets.declarations.spellings.increments import canonical_incremental
from crm_assets.declarations.spellings.names import renamed_resources
from crm_assets.declarations.spellings.paginators import canonical_paginator
from crm_assets.declarations.spellings.references import bound_references
from crm_assets.declarations.spellings.responses import canonical_responses
from crm_assets.declarations.spellings.shapes import spelled_out

__all__ = ["canonical_connection", "canonical_system", "completed_system"]


def canonical_system(document: Document) -> Document:
    """Return the document of a system or profile with its shorthands spelled out and its former words replaced."""
    return spelled_out(renamed_system(document))


def canonical_connection(entry: Document) -> Document:
    """Return an entry of the connections file in the canonical form."""
    return renamed_connection(entry)


def completed_system(document: Document) -> Document:
    """Return a whole system, its profiles laid over it, in the canonical form.

    Raises:
        SpecError: Something in it has no counterpart; the place names resource and key.
    """
    client, paginator = _canonical_client(document.get("client"))
    problems, resources = Problems(), []
    folder = Path(document["path"]).parent if document.get("path") else None
    for resource in document["resources"]:
        with problems.noted():
            resources.append(_completed(resource, paginator, folder))
    problems.raise_all()
    params = document.get("params")
    resources = bound_references(renamed_resources(resources), params if isinstance(params, dict) else {})
    return {**document, **({"client": client} if "client" in document else {}), "resources": resources}


def _canonical_client(client: Any) -> tuple[Any, Any]:
    """Return the client, its log-in with a type, and the paginator of lists that name none."""
    if not isinstance(client, dict):
        return client, None
    if client.get("session") is not None:
        raise SpecError("has no counterpart: a declaration has no code", "key client.session")
    client = {key: value for key, value in client.items() if value is not None}
    if isinstance(auth := client.get("auth"), dict):
        client["auth"] = _canonical_auth(auth)
    return client, client.pop("paginator", None)


def _with_form(resource: Document) -> Document:
    """Return a resource whose body, where dlt calls it ``data``, is one that is sent as a form."""
    endpoint = resource.get("endpoint")
    if not isinstance(endpoint, dict) or "data" not in endpoint:
        return resource
    fields, endpoint = endpoint["data"], {key: value for key, value in endpoint.items() if key != "data"}
    if not isinstance(fields, dict) or "json" in endpoint:
        raise SpecError("expected the fields of a form, and no json beside them", "key endpoint.data")
    return {**resource, "endpoint": {**endpoint, "json": fields, "body_format": "form"}}


def _authenticated(resource: Document) -> Document:
    """Return a resource whose own log-in, if it has one, has a type."""
    endpoint = resource.get("endpoint")
    if not isinstance(endpoint, dict) or not isinstance(auth := endpoint.get("auth"), dict):
        return resource
    return {**resource, "endpoint": {**endpoint, "auth": _canonical_auth(auth)}}


def _canonical_auth(auth: Document) -> Document:
    """Return a log-in with a type and, of dlt's two words for the query, the one that models know."""
    return {"type": "bearer", **auth, **({"location": "query"} if auth.get("location") == "param" else {})}


def _completed(resource: Document, paginator: Any, folder: Path | None) -> Document:
    try:
        resource = canonical_graphql(resource, folder)
        for step in (_with_form, _authenticated, canonical_hints, canonical_responses, canonical_incremental):
            resource = step(resource)
        return canonical_paginator(resource, paginator)
    except SpecError as error:
        raise error.inside(f"resource {resource.get('name')}") from error.__cause__
