"""A whole OpenAPI document made into a declaration: its lists, their parents, and what they share."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from crm_assets.declarations.document import Document
from crm_assets.declarations.errors import SpecError
from crm_assets.declarations.importers.airbyte.columns import manifest_columns
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.importers.openapi.lists import PARAMETER, ListOperation, Unreadable, lists_of
from crm_assets.declarations.importers.openapi.paging import is_of_paging, paging
from crm_assets.declarations.importers.openapi.schemas import Schemas
from crm_assets.declarations.importers.openapi.security import security
from crm_assets.declarations.importers.openapi.swagger import as_openapi_3
from crm_assets.declarations.json_path import path_text
from crm_assets.declarations.parents import singular
from crm_assets.declarations.spellings.names import snake_case

_KEYS = ("id", "uuid", "guid", "gid", "key", "uid")


def from_openapi(document: Document, notes: Notes) -> Document:
    """Return the declaration of an OpenAPI 3 document, or of one of Swagger 2.0.

    Args:
        document: The document.
        notes: Takes what is assumed or left out.

    Raises:
        SpecError: It is of another version, or has no list.
    """
    if str(document.get("swagger", "")).startswith("2."):
        document = as_openapi_3(document)
    if not str(document.get("openapi", "")).startswith("3."):
        raise SpecError("is of another version than OpenAPI 3 and Swagger 2.0", "key openapi")
    schemas, params = Schemas(document), dict[str, Document]()
    found = list[ListOperation]()
    for one in lists_of(document, schemas):
        match one:
            case ListOperation():
                found.append(one)
            case Unreadable(path, "answers with one object"):
                notes.add("assumed", "answers with one object and is not read", path)
            case Unreadable(path, why):
                notes.add("left out", why, path)
    if not found:
        raise SpecError("none of its paths answers with a list of objects")
    return {
        "title": str((document.get("info") or {}).get("title") or ""),
        "client": {"base_url": _server_address(document, params, notes), "auth": security(document, schemas, notes)},
        "resources": [_resource_of(one, found, params, schemas, notes) for one in found],
        **({"params": params} if params else {}),
    }


def _server_address(document: Document, params: dict[str, Document], notes: Notes) -> str:
    server: Document = next(iter(document.get("servers") or ()), {})
    url = str(server.get("url") or "").rstrip("/")
    for name, variable in (server.get("variables") or {}).items():
        own = snake_case(name)
        params[own] = {"description": str(variable.get("description") or f"The variable {name} of the address")}
        params[own] |= {"default": str(variable["default"])} if variable.get("default") is not None else {}
        url = url.replace(f"{{{name}}}", f"{{{own}}}")
    if urlsplit(url).scheme in ("https", "http"):
        return re.sub(r"^http://(?!localhost|127\.)", "https://", url)
    notes.add("assumed", "the document contains no address; set base_url for each connection")
    return f"https://api.example.com{url if url.startswith('/') else ''}"


def _resource_of(
    one: ListOperation, found: list[ListOperation], params: dict[str, Document], schemas: Schemas, notes: Notes
) -> Document:
    page, told = paging(one.parameters, one.answer, one.headers, one.selector, schemas)
    how = (
        f"paging is derived from {told}"
        if told
        else "nothing says how it is paged: paging is detected from its answers"
    )
    notes.add("assumed", how, one.name)
    selector = path_text(one.selector) if one.selector else "$"
    endpoint: Document = {"path": one.path, "data_selector": selector, "paginator": page}
    key = _key(one)
    declared = manifest_columns(schemas.flat(one.record))
    resource: Document = {"name": one.name, "verified": "inferred"}
    if text := " ".join(str(one.operation.get("summary") or "").split()):
        resource["description"] = text[:300]
    if key:
        name = next(name for name, column in declared.items() if column.get("source", name) == key)
        kind = declared[name]["type"]
        declared[name] |= {"nullable": False, "type": kind if kind in ("bigint", "text") else "text"}
        resource["primary_key"] = [name]
        notes.add("assumed", f"{key} is assumed to be the key, by its name", one.name)
    else:
        notes.add("assumed", "no field is named like a key: each read replaces the table", one.name)
    if not declared:
        resource["undeclared_fields"] = "columns"
    resource |= {"endpoint": endpoint, "columns": declared}
    _fill_path(one, found, resource, params, notes)
    _fill_required(one, endpoint, params, schemas, notes)
    return resource


def _key(one: ListOperation) -> str | None:
    names = one.record.get("properties") or {}
    own = f"{singular(one.name.rsplit('_', 1)[-1])}_id"
    return next((name for wanted in (*_KEYS, own) for name in names if snake_case(str(name)) == wanted), None)


def _fill_path(
    one: ListOperation, found: list[ListOperation], resource: Document, params: dict[str, Document], notes: Notes
) -> None:
    """Bind what stands in the path: its last parameter to the list before it, all others to the connection."""
    endpoint = resource["endpoint"]
    given = PARAMETER.findall(one.path)
    if not given:
        return
    before = one.path[: one.path.rindex("{")].rstrip("/")
    parent = next((each for each in found if each.path.rstrip("/") == before and each is not one), None)
    parent = parent if parent and _key(parent) and PARAMETER.findall(parent.path) == given[:-1] else None
    for name in given:
        own = snake_case(name)
        endpoint["path"] = endpoint["path"].replace(f"{{{name}}}", f"{{{own}}}")
        if parent and name == given[-1]:
            key = _key(parent) or ""
            resource["parent"] = {"resource": parent.name, "field": snake_case(key), "placeholder": own}
            notes.add("assumed", f"is read for each row of {parent.name}, by its {key}", one.name)
        elif not (parent and PARAMETER.findall(parent.path)):
            params.setdefault(own, {"description": f"What stands for {name} in addresses"})
            notes.add("assumed", f"{name} in its address is a parameter of the connection", one.name)


def _fill_required(
    one: ListOperation, endpoint: Document, params: dict[str, Document], schemas: Schemas, notes: Notes
) -> None:
    """Send the parameters that a request must have: a default, or what the connection says."""
    for parameter in one.parameters:
        name, place = parameter["name"], {"query": "params", "header": "headers"}.get(str(parameter.get("in")))
        if place is None or not parameter.get("required") or is_of_paging(parameter):
            continue
        if place == "headers" and name.lower() in ("authorization", "accept", "content-type"):
            continue
        schema = schemas.whole(parameter.get("schema"))
        default = schema.get("default", (schema.get("enum") or [None])[0])
        own = snake_case(re.sub(r"\W+", "_", name)).strip("_")
        if default is None:
            params.setdefault(own, {"description": " ".join(str(parameter.get("description") or name).split())[:200]})
            notes.add("assumed", f"{name}, which a request must have, is a parameter of the connection", one.name)
        else:
            notes.add("assumed", f"{name} is sent as {default}", one.name)
        endpoint.setdefault(place, {})[name] = f"{{{own}}}" if default is None else default
