"""A configuration of dlt's REST API source made ready for the loader: secrets by name, and no code."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256
from typing import Any

from crm_assets.declarations.document import Document
from crm_assets.declarations.importers.losses import Notes
from crm_assets.declarations.names import LONGEST_TABLE
from crm_assets.declarations.spellings.names import snake_case

_REFERENCE = re.compile(r"""dlt\.secrets\[\s*["']([A-Za-z0-9_.]+)["']\s*\]""")
_SECRETS = {
    "bearer": ("token",),
    "api_key": ("api_key",),
    "http_basic": ("username", "password"),
    "basic": ("username", "password"),
    "oauth2_client_credentials": ("client_id", "client_secret"),
}


def declarable(config: Document, notes: Notes) -> Document:
    """Return a configuration without code and with the names of its secrets.

    Args:
        config: The configuration as plain data.
        notes: Takes what is left out of it.
    """
    config = _without_code(config, notes)
    client = dict(config.get("client") or {})
    client.pop("session", None)
    client = _client(client, notes)
    resources = [_resource(resource, notes) for resource in config.get("resources") or [] if not _is_code(resource)]
    defaults = _resource(config.get("resource_defaults") or {}, notes)
    known = {key: value for key, value in config.items() if key in ("params", "notes", "title", "rate_limit")}
    params, client = _with_params(client, notes)
    return {
        **known,
        "client": client,
        **({"params": {**params, **known.get("params", {})}} if params else {}),
        **({"resource_defaults": defaults} if defaults else {}),
        "resources": _in_own_tables(resources, notes),
    }


def _in_own_tables(resources: list[Any], notes: Notes) -> list[Any]:
    """Give each list a table of its own where several are loaded into one."""
    tables = [
        snake_case(str(one.get("table_name") or one.get("name"))) if isinstance(one, dict) else one for one in resources
    ]
    shared = {table for table, times in Counter(tables).items() if times > 1}
    found = []
    for table, resource in zip(tables, resources, strict=True):
        if table in shared and isinstance(resource, dict) and resource.get("table_name"):
            notes.add("lost", "is loaded into a table with other lists; here it has its own", str(resource["name"]))
            resource = {key: value for key, value in resource.items() if key != "table_name"}
        found.append(_with_short_table(resource, notes))
    return found


def _with_short_table(resource: Any, notes: Notes) -> Any:
    """Name the table of a list whose name is longer than a table's may be; the digest keeps two of them apart."""
    if not isinstance(resource, dict):
        return resource
    table = snake_case(str(resource.get("table_name") or resource.get("name")))
    if len(table) <= LONGEST_TABLE:
        return resource
    short = f"{table[: LONGEST_TABLE - 9].rstrip('_')}_{sha256(table.encode()).hexdigest()[:8]}"
    notes.add("assumed", f"the table {short} is named after its list, shortened", str(resource.get("name")))
    return {**resource, "table_name": short}


def _is_code(value: Any) -> bool:
    return isinstance(value, dict) and bool(value.keys() & {"__code__", "__stand_in__"})


def _without_code(config: Document, notes: Notes) -> Document:
    """Leave out functions and objects, and say where they were."""

    def cleaned(value: Any, place: str, resource: str) -> Any:
        if isinstance(value, dict):
            name = str(value["name"]) if isinstance(value.get("name"), str) and "endpoint" in value else resource
            found: Document = {}
            for key, item in value.items():
                if _is_code(item) or (isinstance(item, list) and item and all(map(_is_code, item))):
                    _note(item, f"{place}.{key}".strip("."), name, notes)
                else:
                    found[key] = cleaned(item, f"{place}.{key}", name)
            return found
        if isinstance(value, list):
            kept = [item for item in value if not (_is_code(item) and place.endswith("resources"))]
            if len(kept) < len(value):
                notes.add("lost", "resources that are custom functions")
            return [cleaned(item, place, resource) for item in kept]
        return value

    result: Document = cleaned(config, "", "")
    return result


def _note(item: Any, place: str, resource: str, notes: Notes) -> None:
    if place.endswith("session"):
        notes.add("assumed", "client.session is left out: crm_assets does requests, retries and rates itself")
        return
    what = item[0] if isinstance(item, list) else item
    name = what.get("__code__") or what.get("__stand_in__") or ""
    where = place.removeprefix("resources.")
    notes.add("lost", f"{where} is code ({name})", *([resource] if resource else []))


def _client(client: Document, notes: Notes) -> Document:
    headers = dict(client.get("headers") or {})
    for name in [*headers]:
        if name.lower() == "authorization" and not client.get("auth"):
            client["auth"] = _header_auth(name, str(headers.pop(name)), notes)
    if headers:
        client["headers"] = headers
    else:
        client.pop("headers", None)
    if client.get("auth"):
        client["auth"] = _auth(client["auth"], notes)
    return client


def _header_auth(name: str, value: str, notes: Notes) -> Document:
    found = _REFERENCE.search(value)
    secret = secret_name(found[1]) if found else "token"
    template = _REFERENCE.sub(f"{{{secret}}}", value) if found else ""
    if not found:
        scheme = value.split(" ")[0] if " " in value else ""
        notes.add("assumed", f"the header {name} holds a secret; it is called {secret}, and its value was not copied")
        template = f"{scheme} {{{secret}}}".strip()
    return {"type": "api_key", "name": name, "api_key": secret, "value": template}


def _auth(auth: Any, notes: Notes) -> Any:
    if not isinstance(auth, dict):
        return auth
    auth = dict(auth)
    for key in _SECRETS.get(auth.get("type", "bearer"), ()):
        value = auth.get(key)
        if value is None:
            auth.pop(key, None)  # dlt looks for it by this name
        if not isinstance(value, str) or (value == "" and key in ("username", "password")):
            continue
        found = _REFERENCE.fullmatch(value.strip())
        inside = _REFERENCE.search(value)
        if found:
            auth[key] = secret_name(found[1]) if found[1] != "value" else key
        elif inside and auth.get("type") == "api_key":
            auth[key] = secret_name(inside[1])
            auth["value"] = _REFERENCE.sub(f"{{{auth[key]}}}", value)
        else:
            notes.add("assumed", f"the secret {key} is named so; the value in the configuration was not copied")
            auth[key] = key
    return auth


def secret_name(text: str) -> str:
    """Return the name of a secret in the declaration for one of a pipeline."""
    name = re.sub(r"[^a-z0-9_]", "", snake_case(text.rsplit(".", 1)[-1]))
    name = re.sub(r"(?<=[a-z])(\d)(?=\d)", r"\1_n", name)
    return name if re.fullmatch(r"[a-z]+\d?(_[a-z]+\d?)*", name) and len(name) <= 40 else "api_key"


def _with_params(client: Document, notes: Notes) -> tuple[Document, Document]:
    """Make parameters of the connection of the names that stand in the base address."""
    params: Document = {}

    def named(found: re.Match[str]) -> str:
        name = secret_name(found[1])
        params[name] = {"description": f"The pipeline's own {found[1]}"}
        return f"{{{name}}}"

    base = str(client.get("base_url", ""))
    if _REFERENCE.fullmatch(base):
        notes.add("assumed", "the source contains no address; set base_url for each connection")
        return {}, {**client, "base_url": "https://api.example.com"}
    return params, {**client, "base_url": _REFERENCE.sub(named, base)}


def _resource(resource: Any, notes: Notes) -> Any:
    if not isinstance(resource, dict):
        return resource
    resource = dict(resource)
    endpoint = resource.get("endpoint")
    if isinstance(endpoint, dict) and endpoint.get("auth"):
        resource["endpoint"] = {**endpoint, "auth": _auth(endpoint["auth"], notes)}
    if "FILL_ME_IN" in str(endpoint):
        what = "FILL_ME_IN marks a value that the generated source leaves open; replace it"
        notes.add("lost", what, str(resource.get("name", "")))
    for key in ("processing_steps", "schema_contract", "merge_key"):
        if resource.pop(key, None):
            notes.add("lost", f"{key} has no counterpart", str(resource.get("name", "")))
    return resource
