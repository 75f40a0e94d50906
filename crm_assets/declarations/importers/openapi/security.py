"""Log-ins of an OpenAPI document."""

from __future__ import annotations

from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.importers.openapi.schemas import Schemas
from crm_assets.declarations.spellings.names import snake_case


def security(document: Document, schemas: Schemas, notes: Notes) -> Document | list[Document]:
    """Return how requests prove who asks: the first way of the document that has a counterpart.

    Args:
        document: The whole document.
        schemas: Resolves.
        notes: Takes what is assumed.
    """
    known = (document.get("components") or {}).get("securitySchemes") or {}
    wanted = document.get("security") or _of_operations(document) or [{name: []} for name in known]
    ways = [[_scheme(schemas.resolved(known.get(name))) for name in one] for one in wanted if isinstance(one, dict)]
    usable = [[part for part in way if part] for way in ways if way and all(way)]
    if not usable and _has_authorization(document, schemas):
        notes.add("assumed", "the header Authorization is the secret api_key, all of it")
        return {"type": "api_key", "name": "Authorization", "api_key": "api_key"}
    if not usable:
        why = "names no login that can be used" if known else "names no log-in"
        notes.add("assumed", f"the document {why}: requests are sent without one; declare auth")
        return {"type": "none"}
    if len(ways) > 1:
        notes.add("assumed", f"of {len(ways)} ways to log in the first that can be used is taken")
    return usable[0][0] if len(usable[0]) == 1 else usable[0]


def _has_authorization(document: Document, schemas: Schemas) -> bool:
    """Return whether a request has to have the header that carries credentials."""
    operations = [item["get"] for item in (document.get("paths") or {}).values() if isinstance(item.get("get"), dict)]
    parameters = [schemas.resolved(one) for operation in operations for one in operation.get("parameters") or ()]
    return any(one.get("in") == "header" and str(one.get("name")).lower() == "authorization" for one in parameters)


def _of_operations(document: Document) -> list[Any]:
    """Return the first requirement among those of the single operations."""
    for item in (document.get("paths") or {}).values():
        operation = item.get("get") if isinstance(item, dict) else None
        if isinstance(operation, dict) and operation.get("security"):
            return list(operation["security"])
    return []


def _scheme(scheme: Document) -> Document | None:
    match scheme.get("type"), str(scheme.get("scheme", "")).lower():
        case "http", "bearer":
            return {"type": "bearer"}
        case "http", "basic":
            return {"type": "basic"}
        case "apiKey", _ if scheme.get("in") in ("header", "query"):
            name = str(scheme.get("name"))
            return {"type": "api_key", "name": name, "api_key": _secret(name), "location": scheme["in"]}
        case "oauth2", _:
            return _oauth_flow(scheme.get("flows") or {})
    return None


def _oauth_flow(flows: Document) -> Document | None:
    for name, kind in (
        ("clientCredentials", "oauth2_client_credentials"),
        ("authorizationCode", "oauth2_refresh_token"),
        ("password", "oauth2_password"),
    ):
        url = (flows.get(name) or {}).get("tokenUrl")
        if url:
            return {"type": kind, "access_token_url": url}
    return None


def _secret(name: str) -> str:
    found = snake_case(name.removeprefix("X-").removeprefix("x-").replace("-", "_"))
    return found if found.replace("_", "").isalpha() and found != "authorization" else "api_key"
