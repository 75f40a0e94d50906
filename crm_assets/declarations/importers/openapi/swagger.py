"""Swagger 2.0 documents in the words of OpenAPI 3, as far as lists, their types and log-ins go."""

from __future__ import annotations

from crm_assets.declarations.document import Document

_METHODS = ("get", "post")
_OF_THE_SCHEMA = ("type", "format", "enum", "default", "items", "minimum", "maximum")
"""Keys that a parameter has itself in Swagger 2.0."""
_FLOWS = {"application": "clientCredentials", "accessCode": "authorizationCode", "password": "password"}


def as_openapi_3(document: Document) -> Document:
    """Return a Swagger 2.0 document as OpenAPI 3. Definitions stay where they are, so that references hold."""
    produces = document.get("produces") or []
    schemes = {name: _scheme(given) for name, given in (document.get("securityDefinitions") or {}).items()}
    return {
        **document,
        "openapi": "3.0.3",
        "servers": [{"url": _address(document)}],
        "components": {"securitySchemes": schemes},
        "parameters": {name: _parameter(given) for name, given in (document.get("parameters") or {}).items()},
        "responses": {name: _response(given, produces) for name, given in (document.get("responses") or {}).items()},
        "paths": {path: _item(item, produces) for path, item in (document.get("paths") or {}).items()},
    }


def _address(document: Document) -> str:
    base = str(document.get("basePath") or "").rstrip("/")
    schemes = document.get("schemes") or ["https"]
    scheme = "https" if "https" in schemes else schemes[0]
    return f"{scheme}://{document['host']}{base}" if document.get("host") else base


def _item(item: Document, produces: list[str]) -> Document:
    found = {key: _operation(given, produces) if key in _METHODS else given for key, given in item.items()}
    return {**found, **({"parameters": [*map(_parameter, item["parameters"])]} if item.get("parameters") else {})}


def _operation(operation: Document, produces: list[str]) -> Document:
    kinds = operation.get("produces") or produces
    answers = operation.get("responses") or {}
    return {
        **operation,
        "parameters": [*map(_parameter, operation.get("parameters") or ())],
        "responses": {str(status): _response(given, kinds) for status, given in answers.items()},
    }


def _response(given: Document, produces: list[str]) -> Document:
    """Return an answer; one that is not said to be JSON, but to be something else, is that."""
    if "$ref" in given or "schema" not in given:
        return given
    kind = next((kind for kind in produces if "json" in kind or kind == "*/*"), None)
    kind = kind or (produces[0] if produces else "application/json")
    return {**given, "content": {kind: {"schema": given["schema"]}}}


def _parameter(given: Document) -> Document:
    if "$ref" in given or given.get("in") == "body":
        return given
    return {**given, "schema": {key: given[key] for key in _OF_THE_SCHEMA if key in given}}


def _scheme(given: Document) -> Document:
    match given.get("type"):
        case "basic":
            return {"type": "http", "scheme": "basic"}
        case "oauth2":
            flow = _FLOWS.get(str(given.get("flow")))
            return {"type": "oauth2", "flows": {flow: {"tokenUrl": given.get("tokenUrl")}} if flow else {}}
    return given
